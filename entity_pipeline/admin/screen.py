"""`Screen`: one request for a page, with the reader's language, the signed-in visitor, and rendering."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from entity_pipeline.admin.access import Visitor, access_of, signed_in
from entity_pipeline.admin.paths import HOME_PATH, SIGN_IN_PATH
from entity_pipeline.admin.shell import MountedPage, Shell, shell_of
from entity_pipeline.admin.texts import LANGUAGE_COOKIE, LANGUAGES, Texts, language_of, texts_of


@dataclass(frozen=True, slots=True)
class Screen:
    """One request for a page. `mounted` is the domain's page at the address; its texts are available too."""

    request: Request
    shell: Shell
    texts: Texts
    visitor: Visitor | None
    mounted: MountedPage | None

    @property
    def query(self) -> Mapping[str, str]:
        """The query of the page's address; empty for a sent form."""
        return self.request.query_params if self.request.method == "GET" else {}

    @property
    def element(self) -> str | None:
        """The id of the element that htmx fills; None when the browser requests a whole page."""
        headers = self.request.headers
        if headers.get("hx-request") != "true" or headers.get("hx-history-restore-request") == "true":
            return None
        return headers.get("hx-target")

    @property
    def words(self) -> Mapping[str, Texts]:
        """The texts of each domain's page by the domain's key."""
        return {
            mounted.key: texts_of(self.texts.language, mounted.page.package) for mounted in self.shell.pages
        }

    def checked(self, csrf_token: str | None) -> Visitor:
        """The visitor who makes a change. Raises 403 without the session's token."""
        assert self.visitor is not None
        access_of(self.request).check_csrf(self.visitor, csrf_token)
        return self.visitor

    def drawn(self, template: str, **values: Any) -> Markup:
        """The template in the reader's language."""
        known: dict[str, Any] = {
            "t": self.texts,
            "visitor": self.visitor,
            "here": here(self.request),
            "languages": LANGUAGES,
            "words": self.words,
            "pages": self.shell.pages,
            "mounted": self.mounted,
            "page_path": self.mounted.path if self.mounted else HOME_PATH,
            "own": self.mounted.own_path if self.mounted else HOME_PATH,
        }
        return Markup(self.shell.templates.get_template(template).render(known | values))  # noqa: S704  escaped

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The template as the response."""
        return self.answer(self.drawn(template, **values), status)

    def answer(self, html: Markup, status: int = 200) -> HTMLResponse:
        """The response; a language requested in the address is remembered."""
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
    """A dependency: the screen of a request, whether signed in or not."""
    shell = shell_of(request)
    mounted = shell.page_at(request.url.path)
    texts = texts_of(language_of(request), mounted.page.package if mounted else None)
    return Screen(request, shell, texts, signed_in(request), mounted)


def signed_in_screen(request: Request) -> Screen:
    """A dependency: the screen of a signed-in person; anyone else is redirected to sign in."""
    screen = screen_of(request)
    if screen.visitor is not None:
        return screen
    back = here(request) if request.method == "GET" and screen.element is None else HOME_PATH
    address = f"{SIGN_IN_PATH}?{urlencode({'next': back})}"
    if request.headers.get("hx-request") == "true":
        raise HTTPException(401, "Sign in to see this.", {"HX-Redirect": address})
    raise HTTPException(303, "Sign in to see this.", {"Location": address})


AnyScreen = Annotated[Screen, Depends(screen_of)]
SignedIn = Annotated[Screen, Depends(signed_in_screen)]


def here(request: Request) -> str:
    """The address of the request without its language."""
    parameters = {name: value for name, value in request.query_params.items() if name != "lang"}
    path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0] or request.url.path
    return f"{path}?{urlencode(parameters)}" if parameters else path
