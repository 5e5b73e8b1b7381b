"""The addresses of a domain's page: the page and its parts, its switch, and the domain's own routes.

The content of a part belongs to the domain. Forms end in a redirect, so that a reload or the back button never repeats
a change.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from entity_pipeline.admin import home
from entity_pipeline.admin.api import NEEDS_TOKEN, WITH_TOKEN
from entity_pipeline.admin.changes import change_settings
from entity_pipeline.admin.drawing import drawn_parts, part_for
from entity_pipeline.admin.forms import CsrfToken, ShortText, version_of
from entity_pipeline.admin.paths import API_PATH, HOME_PATH
from entity_pipeline.admin.screen import Screen, SignedIn
from entity_pipeline.admin.settings_pages import settings_of
from entity_pipeline.admin.shell import MountedPage
from entity_pipeline.core.settings_change import StaleSettings, edit_of


def pages_of(mounted: MountedPage) -> APIRouter:
    """The routes below the page's path; the shell's own come first."""
    router = APIRouter()
    router.add_api_route(mounted.path, domain_page, methods=["GET"])
    router.add_api_route(f"{mounted.own_path}/switch", switch, methods=["POST"])
    router.include_router(settings_of(mounted))
    if mounted.usual_path != mounted.path:
        router.add_api_route(mounted.usual_path, _leads_to(mounted), methods=["GET"])
        router.add_api_route(mounted.usual_path + "/{rest:path}", _leads_to(mounted), methods=["GET"])
    router.include_router(mounted.page.routes(), prefix=mounted.path)
    return router


def api_of(mounted: MountedPage) -> APIRouter:
    """The domain's part of the API, at each of its places."""
    router = APIRouter()
    for prefix in (f"{API_PATH}/{mounted.key}", *mounted.page.api_prefixes):
        router.include_router(
            mounted.page.api(),
            prefix=prefix,
            tags=[mounted.key],
            dependencies=NEEDS_TOKEN,
            responses=WITH_TOKEN,
        )
    return router


def domain_page(screen: SignedIn) -> Response:
    """The whole page, or the one part of it that htmx asks for."""
    return _page(screen)


def switch(
    screen: SignedIn,
    csrf_token: CsrfToken,
    is_enabled: ShortText,
    updated_at: ShortText = "",
    next: ShortText = "",  # noqa: A002  the name of the form's field
) -> Response:
    """Switch the domain on or off, from its page or from the home page."""
    assert screen.mounted is not None
    visitor, wanted = screen.checked(csrf_token), is_enabled == "true"
    at_home = next == HOME_PATH
    try:
        change_settings(
            screen.shell.installation,
            screen.mounted.domain.settings,
            edit_of(screen.mounted.domain.settings, is_enabled=wanted),
            visitor,
            version_of(updated_at),
        )
    except StaleSettings as stale:
        conflict = {"wanted": wanted, "row": stale.row, "page": screen.mounted}
        return home.home_page(screen, 409, conflict) if at_home else _page(screen, 409, conflict)
    done = "on" if wanted else "off"
    if at_home:
        return RedirectResponse(f"{HOME_PATH}?done={done}&domain={screen.mounted.key}", 303)
    return RedirectResponse(f"{screen.mounted.path}?done={done}#scheduler", 303)


def _page(screen: Screen, status: int = 200, conflict: Mapping[str, Any] | None = None) -> Response:
    assert screen.mounted is not None
    parts = screen.mounted.page.parts()
    if (alone := part_for(parts, screen.element)) is not None:
        return screen.answer(drawn_parts(screen, [alone])[alone.key])
    done = screen.query.get("done", "")
    return screen.show(
        "domain.html",
        status,
        parts=parts,
        drawn=drawn_parts(screen, parts),
        conflict=conflict,
        done=done if screen.texts.known(f"done.{done}") else None,
    )


def _leads_to(mounted: MountedPage) -> Any:
    def lead(request: Request, rest: str = "") -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{mounted.path}{'/' if rest else ''}{rest}{query}", 308)

    return lead
