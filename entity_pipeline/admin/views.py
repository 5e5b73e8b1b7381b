"""How a page is drawn: templates, words, numbers, addresses of our own files, and what a page knows of its visitor.

Surprising: an instant is written in UTC. `static/page.js` turns it into the viewer's zone; without JavaScript the
page stays right, only less convenient.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from entity_pipeline.admin import charts
from entity_pipeline.admin.access import CSRF_FIELD, SESSION_LASTS_S, Visitor, signed_in
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.sessions import HOME_PATH, SIGN_IN_PATH, SIGN_OUT_PATH
from entity_pipeline.admin.texts import LANGUAGE_COOKIE, LANGUAGES, Texts, language_of, number, visible
from entity_pipeline.domains.entities.page.accounts import run_url

STATIC_PATH = "/admin/static"
# Below HOME_PATH a name is an account's; no handle holds a hyphen, so this one is ours.
OWN_PATH = HOME_PATH + "/-"
_PACIFIC = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class Screen:
    """One request for a page."""

    request: Request
    texts: Texts
    visitor: Visitor | None

    @property
    def desk(self) -> Desk:
        """Where the figures are."""
        desk: Desk = self.request.app.state.desk
        return desk

    @property
    def wants_part(self) -> str | None:
        """The id of the element that htmx fills; None when the browser asks for a whole page."""
        headers = self.request.headers
        if headers.get("hx-request") != "true" or headers.get("hx-history-restore-request") == "true":
            return None
        return headers.get("hx-target")

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page, in the language of the request."""
        known = {
            "t": self.texts,
            "visitor": self.visitor,
            "here": _here(self.request),
            "languages": LANGUAGES,
        }
        html = environment().get_template(template).render(known | values)
        answer = HTMLResponse(html, status, headers={"Vary": "HX-Request, Cookie, Accept-Language"})
        if self.request.query_params.get("lang") == self.texts.language:
            answer.set_cookie(
                LANGUAGE_COOKIE,
                self.texts.language,
                max_age=365 * 86_400,
                path="/admin",
                httponly=True,
                samesite="lax",
            )
        return answer


def screen_of(request: Request) -> Screen:
    """A dependency: the page whoever asks for it."""
    return Screen(request, Texts(language_of(request)), signed_in(request))


def signed_in_screen(request: Request) -> Screen:
    """A dependency: the page for somebody who is signed in; everybody else is sent to sign in."""
    screen = screen_of(request)
    if screen.visitor is not None:
        return screen
    back = _here(request) if request.method == "GET" and screen.wants_part is None else HOME_PATH
    address = f"{SIGN_IN_PATH}?{urlencode({'next': back})}"
    if request.headers.get("hx-request") == "true":
        raise HTTPException(401, "Sign in to see this.", {"HX-Redirect": address})
    raise HTTPException(303, "Sign in to see this.", {"Location": address})


@cache
def environment() -> Environment:
    """The templates. Everything is escaped, and a name that is not there is a fault."""
    found = Environment(
        loader=PackageLoader("entity_pipeline.admin"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": number,
        "usd": usd,
        "utc": utc,
        "pacific": pacific,
        "share": share,
        "visible": visible,
        "host": host,
        "coded": coded,
        "shown_json": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
        "segment": lambda text: quote(text, safe=""),
    }
    found.globals |= {
        "asset": asset,
        "percent": charts.percent,
        "in_language": in_language,
        "age": age,
        "run_url": run_url,
        "home": HOME_PATH,
        "own": OWN_PATH,
        "sign_in_path": SIGN_IN_PATH,
        "sign_out_path": SIGN_OUT_PATH,
        "csrf_field": CSRF_FIELD,
        "session_hours": SESSION_LASTS_S // 3600,
    }
    return found


@cache
def asset(name: str) -> str:
    """The address of one of our own files, with its content in it, so that a browser may keep it."""
    content = (files("entity_pipeline.admin") / "static" / name).read_bytes()
    return f"{STATIC_PATH}/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"


def usd(value: Decimal) -> str:
    """US dollars: cents for what is dear, four digits for what costs less than a dollar."""
    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def coded(text: str) -> Markup:
    """A text of ours in which ``` `a command` ``` is shown as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  it is escaped


def utc(at: datetime) -> str:
    """``2026-11-21 05:33 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def pacific(at: datetime) -> str:
    """``2026-11-21 00:00 PST``."""
    return f"{at.astimezone(_PACIFIC):%Y-%m-%d %H:%M %Z}"


def share(value: float) -> str:
    """A confidence, ``0.93``."""
    return f"{value:.2f}"


def host(address: str) -> str:
    """Where a link leads, without path and user name."""
    return urlsplit(address).hostname or address


def age(since: datetime, now: datetime) -> tuple[str, int]:
    """How long ago as the key of a unit and a number: ``("age.days", 12)``."""
    seconds = max(int((now - since).total_seconds()), 0)
    for unit, length in (("age.days", 86_400), ("age.hours", 3_600), ("age.minutes", 60)):
        if seconds >= length:
            return unit, seconds // length
    return "age.now", 0


def in_language(here: str, language: str) -> str:
    """The same page in another language."""
    path, _, query = here.partition("?")
    return f"{path}?{urlencode({**dict(parse_qsl(query)), 'lang': language})}"


def _here(request: Request) -> str:
    parameters: Mapping[str, str] = {k: v for k, v in request.query_params.items() if k != "lang"}
    path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0] or request.url.path
    return f"{path}?{urlencode(parameters)}" if parameters else path
