"""Pages below the influencers' page: one blog, and the forms by which people ask for work."""

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from entity_pipeline.admin.forms import CsrfToken, ShortText
from entity_pipeline.admin.pictures import picture_address
from entity_pipeline.admin.screen import SignedIn
from entity_pipeline.domains.influencers.page.actions import names_of
from entity_pipeline.domains.influencers.page.addresses import PAGE_PATH
from entity_pipeline.domains.influencers.page.mounted import figures_of
from entity_pipeline.domains.influencers.page.post_chart import post_chart
from entity_pipeline.domains.influencers.queue.requests import Answer

router = APIRouter()
_LongText = Annotated[str, Form(max_length=50_000)]
_LONGEST_REFUSED = 1_000
_DONE = ("asked", "retried", "waiting")


@router.post("/-/ask")
def ask(
    screen: SignedIn, csrf_token: CsrfToken, usernames: _LongText = "", hashtags: _LongText = ""
) -> Response:
    """Ask for blogs by username, and for hashtags."""
    screen.checked(csrf_token)
    answers = figures_of(screen.request).ask(names_of(usernames), names_of(hashtags))
    return RedirectResponse(f"{PAGE_PATH}/-/asked?{urlencode(answers.as_query())}", 303)


@router.get("/-/asked")
def asked(screen: SignedIn) -> Response:
    """How many of the names that were asked for had each answer."""
    counted = {answer: screen.query.get(answer, "") for answer in Answer}
    return screen.show(
        "influencers/asked.html",
        answers={answer: int(n) for answer, n in counted.items() if n.isdecimal() and len(n) < 6},
        refused=screen.query.get("refused", "")[:_LONGEST_REFUSED].split(),
    )


@router.post("/-/retry")
def retry(screen: SignedIn, csrf_token: CsrfToken, task: ShortText, back: ShortText = "") -> Response:
    """Try a failed task again; `back` is the username whose page it was asked from."""
    screen.checked(csrf_token)
    if not task.isdecimal() or len(task) > 18:
        raise HTTPException(422, "This form can't be read: load the page again and repeat the change.")
    done = "retried" if figures_of(screen.request).retry(int(task)) else "waiting"
    return RedirectResponse(_after(back, done), 303)


@router.post("/-/scrape")
def scrape(screen: SignedIn, csrf_token: CsrfToken, username: ShortText) -> Response:
    """Ask for one blog again, now."""
    screen.checked(csrf_token)
    answers = figures_of(screen.request).ask([username], [])
    return RedirectResponse(_after(username, "asked" if answers.counted.get(Answer.MADE) else "waiting"), 303)


@router.get("/{username}")
def blog(screen: SignedIn, username: str) -> Response:
    """One blog."""
    found = figures_of(screen.request).blog(username)
    if found is None:
        raise HTTPException(404, "There is no blog with this username.")
    configuration = screen.shell.configuration
    keys = {found.avatar_key, *(post.thumbnail_key for post in found.posts)}
    return screen.show(
        "influencers/blog.html",
        blog=found,
        chart=post_chart(found.posts),
        pictures={key: picture_address(configuration, key) for key in keys},
        done=done if (done := screen.query.get("done")) in _DONE else None,
    )


def _after(username: str, done: str) -> str:
    """The page to which a form leads back."""
    path = f"{PAGE_PATH}/{quote(username, safe='')}" if username else PAGE_PATH
    return f"{path}?done={done}"
