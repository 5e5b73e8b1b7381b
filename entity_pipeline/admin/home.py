"""`/admin`: the home page, signing in, and redirects from older addresses. The figures are in `home_parts.py`."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from entity_pipeline.admin.drawing import drawn_parts, part_for
from entity_pipeline.admin.home_parts import home_parts
from entity_pipeline.admin.paths import HOME_PATH, PAGES_PATH, SIGN_IN_PATH, own_path
from entity_pipeline.admin.screen import AnyScreen, Screen, SignedIn

router = APIRouter()


@router.get(HOME_PATH)
def home(screen: SignedIn) -> Response:
    """The home page, or the part of it that htmx requests."""
    return home_page(screen)


@router.get("/")
@router.get(f"{HOME_PATH}/")
@router.get(PAGES_PATH)
@router.get(f"{PAGES_PATH}/")
def home_with_slash() -> Response:
    """The same; the bare address and the folder of all pages lead there too."""
    return RedirectResponse(HOME_PATH)


@router.get(SIGN_IN_PATH)
def sign_in_page(screen: AnyScreen, next: str = HOME_PATH, problem: str = "") -> Response:  # noqa: A002
    """The form that `sessions.py` receives."""
    if screen.visitor is not None and not problem:
        return RedirectResponse(own_path(next), 303)
    known = problem if problem in ("token", "tries") else None
    return screen.show("sign_in.html", next=own_path(next), problem=known)


def home_page(screen: Screen, status: int = 200, conflict: Mapping[str, Any] | None = None) -> Response:
    """The page; `conflict` is a switch that was refused because the settings had changed."""
    parts = home_parts(screen.shell)
    if (alone := part_for(parts, screen.element)) is not None:
        return screen.answer(drawn_parts(screen, [alone])[alone.key])
    return screen.show(
        "home.html",
        status,
        parts=parts,
        drawn=drawn_parts(screen, parts),
        conflict=conflict,
        done=_done(screen),
    )


def _done(screen: Screen) -> tuple[str, str] | None:
    """The switch that was just made, and its domain."""
    done, key = screen.query.get("done", ""), screen.query.get("domain", "")
    return (done, key) if done in ("on", "off") and key in screen.words else None
