"""The pages for people. Everything they show comes from `Desk`; the forms end in a redirect, so that a reload or
the back button never repeats a change.

Surprising: the parts of the first page are read side by side, each with its own failure. A database that is away
takes its part of the page with it and nothing else.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from entity_pipeline.admin.access import CSRF_FIELD, Visitor, access_of
from entity_pipeline.admin.api import download
from entity_pipeline.admin.charts import quota_chart
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.figures import (
    NONE,
    AccountFigures,
    QueueSort,
    QueueState,
    QuotaFigures,
    SettingsChange,
)
from entity_pipeline.admin.problems import Problem
from entity_pipeline.admin.sessions import HOME_PATH, SIGN_IN_PATH, own_path
from entity_pipeline.admin.settings_form import as_typed, read_settings_form, setting_fields, value_of
from entity_pipeline.admin.views import OWN_PATH, STATIC_PATH, Screen, screen_of, signed_in_screen
from entity_pipeline.core.failures import InputRejected, PipelineFailure
from entity_pipeline.core.settings import SettingsRow, readable
from entity_pipeline.core.settings_change import StaleSettings
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.page.queue_form import QueueForm, read_queue_form
from entity_pipeline.domains.entities.settings import EntitySettings

AnyScreen = Annotated[Screen, Depends(screen_of)]
SignedIn = Annotated[Screen, Depends(signed_in_screen)]
Text = Annotated[str, Form(max_length=100)]
CsrfToken = Annotated[str, Form(alias=CSRF_FIELD, max_length=200)]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: its figures, or the sentence of why there are none."""

    figures: Any = None
    problem: str | None = None
    is_our_fault: bool = False  # else what was asked for can't be had, and asking again is useless


def router(desk: Desk) -> APIRouter:
    """The routes under `/admin`."""
    del desk  # each request finds it in `app.state`, as the API does
    return _router


def add_to(app: FastAPI) -> None:
    """What is not a route: our own files, and failures as pages."""
    app.mount(STATIC_PATH, StaticFiles(directory=str(files("entity_pipeline.admin") / "static")), "static")
    app.state.problem_page = problem_page


def problem_page(request: Request, problem: Problem) -> Response:
    """A failure as a page, with what to do next."""
    if "Location" in problem.headers or "HX-Redirect" in problem.headers:
        return Response(status_code=problem.status, headers=problem.headers)
    answer = screen_of(request).show("problem.html", problem.status, problem=problem, here=HOME_PATH)
    answer.headers.update(problem.headers)
    return answer


async def _sent(request: Request) -> Mapping[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


_router = APIRouter()


@_router.get("/admin")
@_router.get("/admin/")
def start() -> Response:
    """There is one page so far."""
    return RedirectResponse(HOME_PATH)


@_router.get(SIGN_IN_PATH)
def sign_in_page(screen: AnyScreen, next: str = HOME_PATH, problem: str = "") -> Response:  # noqa: A002
    """The form that `sessions.py` receives."""
    if screen.visitor is not None and not problem:
        return RedirectResponse(own_path(next), 303)
    known = problem if problem in ("token", "tries") else None
    return screen.show("sign_in.html", next=own_path(next), problem=known)


@_router.get(HOME_PATH)
def home(screen: SignedIn) -> Response:
    """The whole page, or one part of it for htmx."""
    match screen.wants_part:
        case "scheduler-now":
            return screen.show("scheduler.html", scheduler=_part(screen.desk.scheduler), **_plain())
        case "quota-now":
            return screen.show("quota.html", **_quota(_part(screen.desk.quota)))
        case "results":
            form = read_queue_form(screen.request.query_params)
            return screen.show("queue.html", **_results(form, _part(lambda: screen.desk.queue(form.query))))
        case "facets":
            form = read_queue_form(screen.request.query_params)
            return screen.show("facets.html", form=form, counts=_part(screen.desk.counts), choices=_CHOICES)
    return _home(screen)


@_router.post(OWN_PATH + "/switch")
def switch(screen: SignedIn, csrf_token: CsrfToken, is_enabled: Text, updated_at: Text = "") -> Response:
    """Switch the scheduler on or off."""
    wanted = is_enabled == "true"
    visitor = _checked(screen, csrf_token)
    try:
        screen.desk.change(SettingsChange(updated_at=_instant(updated_at), is_enabled=wanted), visitor)
    except StaleSettings as stale:
        return _home(screen, 409, conflict={"wanted": wanted, "row": stale.row})
    return RedirectResponse(f"{HOME_PATH}?done={'on' if wanted else 'off'}#scheduler", 303)


@_router.get(OWN_PATH + "/settings")
def settings_page(screen: SignedIn) -> Response:
    """Limits and thresholds as a form."""
    figures = screen.desk.scheduler()
    shown = _shown(figures.settings)
    unreadable = figures.closed_because if figures.is_enabled and not figures.is_open else None
    return _settings(screen, 200, shown, shown, figures.updated_at, unreadable=unreadable)


@_router.post(OWN_PATH + "/settings")
def save_settings(screen: SignedIn, sent: Annotated[Mapping[str, str], Depends(_sent)]) -> Response:
    """Save what was changed. A bad value, or a change that somebody else made meanwhile, shows the form again."""
    visitor = _checked(screen, sent.get(CSRF_FIELD))
    was = {field.name: sent.get(f"was.{field.name}", "") for field in setting_fields()}
    seen = _instant(sent.get("updated_at", ""))
    filled = read_settings_form(sent, was)
    if filled.problems:
        return _settings(screen, 422, filled.given, was, seen, problems=filled.problems)
    if not filled.settings:
        return RedirectResponse(f"{HOME_PATH}?done=nothing#scheduler", 303)
    try:
        screen.desk.change(SettingsChange(updated_at=seen, settings=dict(filled.settings)), visitor)
    except StaleSettings as stale:
        stands = _shown(readable(EntitySettings, stale.row).model_dump(mode="json"))
        # What they did not touch is as it stands now; what they did touch stays theirs, with the other beside it.
        theirs = {name: given if given != was[name] else stands[name] for name, given in filled.given.items()}
        now = stale.row.updated_at if stale.row is not None else None
        return _settings(screen, 409, theirs, stands, now, conflict=stale.row or SettingsRow(None, None))
    except InputRejected as error:
        return _settings(screen, 422, filled.given, was, seen, refused=str(error))
    return RedirectResponse(f"{HOME_PATH}?done=saved#scheduler", 303)


@_router.get(OWN_PATH + "/export.{form}")
def export(screen: SignedIn, form: str) -> Response:
    """The list as a file, as it is filtered."""
    if form not in ("csv", "json"):
        raise HTTPException(404, "There is no such export.")
    return download(screen.desk, read_queue_form(screen.request.query_params).query, form)


@_router.get(HOME_PATH + "/{username:path}")
def account(screen: SignedIn, username: str) -> Response:
    """One account."""
    found = screen.desk.account(username)
    if found is None:
        raise HTTPException(404, "There is no account of this name.")
    return screen.show(
        "account.html",
        account=found,
        shown=_best_known(found),
        picture=_own_picture(screen.request, found.profile.image_url),
    )


def _home(screen: Screen, status: int = 200, conflict: Mapping[str, Any] | None = None) -> Response:
    form = read_queue_form(screen.request.query_params if screen.request.method == "GET" else {})
    desk = screen.desk
    reads: list[Callable[[], Any]] = [desk.scheduler, desk.quota, desk.counts, lambda: desk.queue(form.query)]
    with ThreadPoolExecutor(len(reads)) as side_by_side:
        scheduler, quota, counts, page = side_by_side.map(_part, reads)
    done = screen.request.query_params.get("done")
    return screen.show(
        "home.html",
        status,
        scheduler=scheduler,
        **_quota(quota),
        **_results(form, page),
        counts=counts,
        choices=_CHOICES,
        conflict=conflict,
        done=done if done in ("on", "off", "saved", "nothing") else None,
        **({} if screen.request.method == "GET" else {"here": HOME_PATH}),
    )


_CHOICES: Mapping[str, list[str]] = {
    "state": [*QueueState],
    "type": [*AccountType, NONE],
    "role": [*AccountRole, NONE],
    "sort": [*QueueSort],
}


def _part(read: Callable[[], Any]) -> Part:
    try:
        return Part(read())
    except InputRejected as error:
        return Part(problem=str(error))
    except PipelineFailure as error:
        return Part(problem=str(error), is_our_fault=True)


def _plain() -> dict[str, Any]:
    return {"now": datetime.now(UTC)}


def _quota(quota: Part) -> dict[str, Any]:
    figures: QuotaFigures | None = quota.figures
    return {"quota": quota, "chart": quota_chart(figures) if figures is not None else None}


def _results(form: QueueForm, page: Part) -> dict[str, Any]:
    return {"form": form, "page": page, **_plain()}


def _settings(
    screen: Screen,
    status: int,
    given: Mapping[str, str],
    was: Mapping[str, str],
    updated_at: datetime | None,
    *,
    problems: Mapping[str, str] | None = None,
    conflict: SettingsRow | None = None,
    refused: str | None = None,
    unreadable: str | None = None,
) -> Response:
    return screen.show(
        "settings.html",
        status,
        fields=setting_fields(),
        given=given,
        was=was,
        updated_at=updated_at,
        problems=problems or {},
        conflict=conflict,
        refused=refused,
        unreadable=unreadable,
    )


def _best_known(account: AccountFigures) -> Mapping[str, str | None]:
    """What the catalog's columns say, or else the review: as the list shows it."""
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


def _shown(settings: Mapping[str, Any]) -> dict[str, str]:
    return {field.name: as_typed(value_of(settings, field.name)) for field in setting_fields()}


def _checked(screen: Screen, csrf_token: str | None) -> Visitor:
    assert screen.visitor is not None
    access_of(screen.request).check_csrf(screen.visitor, csrf_token)
    return screen.visitor


def _instant(text: str) -> datetime | None:
    """The version of the row in a form; '' when there was no row."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise HTTPException(422, "This form can't be read: load the page again and repeat the change.")
    return found


def _own_picture(request: Request, address: str | None) -> str | None:
    """A picture that the content policy lets the browser load; nothing is asked of another host."""
    configuration: AdminConfiguration = request.app.state.configuration
    if address is None or configuration.picture_origin is None:
        return None
    parts = urlsplit(address)
    return address if f"{parts.scheme}://{parts.netloc}" == configuration.picture_origin else None
