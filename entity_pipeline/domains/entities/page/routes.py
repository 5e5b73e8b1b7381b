"""Pages below the entities' page: an account, its search suggestions, and the list as a file."""

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from entity_pipeline.admin.access import signed_in
from entity_pipeline.admin.forms import CsrfToken, ShortText
from entity_pipeline.admin.guard import SUGGESTIONS_POLICY
from entity_pipeline.admin.screen import Screen, SignedIn
from entity_pipeline.core.text.web_address import address_parts, origin
from entity_pipeline.domains.entities.page.account_values import AccountFigures
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.domains.entities.page.mounted import figures_of
from entity_pipeline.domains.entities.page.queue_form import read_queue_form

router = APIRouter()


@router.get("/-/export.{form}")
def export(screen: SignedIn, form: str) -> Response:
    """The filtered list as a file."""
    if form not in ("csv", "json"):
        raise HTTPException(404, "There is no export in this format.")
    return figures_of(screen.request).export(read_queue_form(screen.query).query, form)


@router.post("/-/again")
def again(screen: SignedIn, csrf_token: CsrfToken, username: ShortText, what: ShortText) -> Response:
    """Ask for a review or a decision again; `what` is ``review``, ``decision`` or ``type``."""
    visitor, figures = screen.checked(csrf_token), figures_of(screen.request)
    if what == "review":
        figures.ask_again(username, visitor)
    elif what in ("decision", "type"):
        figures.decide_again(username, visitor, replace_type=what == "type")
    else:
        raise HTTPException(422, "This form can't be read: load the page again and repeat the change.")
    return RedirectResponse(f"{PAGE_PATH}/{quote(username, safe='')}?done={what}", 303)


@router.get("/{username:path}/search-suggestions")
def search_suggestions(request: Request, username: str) -> HTMLResponse:
    """Google's HTML as a separate document: its terms require that it is shown unchanged, and it has inline styles.

    So it has its own policy, which allows inline styles but no script and no origin, and is shown in a sandboxed frame.
    """
    if signed_in(request) is None:
        raise HTTPException(401, "Sign in to see this.")
    html = figures_of(request).search_suggestions(username)
    if html is None:
        raise HTTPException(404, "No search suggestions are stored for this account.")
    # With both schemes the frame has no background of its own, which would be white on a dark page.
    head = (
        '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<base target="_blank">'
    )
    return HTMLResponse(head + html, headers={"Content-Security-Policy": SUGGESTIONS_POLICY})


@router.get("/{username:path}")
def account(screen: SignedIn, username: str) -> Response:
    """One account."""
    found = figures_of(screen.request).account(username)
    if found is None:
        raise HTTPException(404, "There is no account with this name.")
    return screen.show(
        "entities/account.html",
        account=found,
        done=done if (done := screen.query.get("done")) in ("review", "decision", "type") else None,
        best=_best_known(found),
        picture=_own_picture(screen, found.profile.image_url),
    )


def _best_known(account: AccountFigures) -> Mapping[str, str | None]:
    """The values of the catalog's columns, or else those of the review, as in the list."""
    reviewed = {field.name: field.value for field in account.review.fields}
    columns = {
        "name_en": (account.name_en, "name_en"),
        "name_ko": (account.name_ko, "name_ko"),
        "type": (account.type, "account_type"),
        "role": (account.role, "account_role"),
        "region": (account.region, "entity_region_code"),
    }
    return {
        name: column if column and column != "unknown" else reviewed.get(field) or column
        for name, (column, field) in columns.items()
    }


def _own_picture(screen: Screen, address: str | None) -> str | None:
    """The address of a picture if the content policy lets the browser load it, else None."""
    parts = address_parts(address)
    is_ours = parts is not None and origin(parts) == screen.shell.configuration.picture_origin
    return address if is_ours else None
