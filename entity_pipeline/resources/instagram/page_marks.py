"""What an HTML answer is, by its own elements: title, forms, links, headings and keys of its data. Pure.

No text of a page is searched: a profile's page holds its bio and captions, which may contain the words of an error.
Text inside an element can't forge one, because Instagram escapes it.
"""

import html
import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal

_USER_KEY = '"xig_user_by_username":'
_PROFILE_KEYS = ('"biography":"', '"full_name":"')
_GONE_HEADINGS = frozenset(
    ("sorry, this page isn't available.", "sorry, this page isn’t available.", "this page isn't available")
)
_GONE_TITLES = frozenset(("page not found", "page not found • instagram", "content unavailable • instagram"))
_LOGIN_TITLES = frozenset(("login • instagram", "log in • instagram", "log in to instagram"))
# Without the closing bracket, so that an element that is never closed does not make the same text be scanned twice.
_ELEMENT = re.compile(r"<(form|input|a)\b([^<>]{0,2000})")
_HEADING = re.compile(r"<h[1-6]\b[^<>]{0,2000}>([^<]{0,200})</h")
_TITLE = re.compile(r"<title\b[^<>]{0,200}>([^<]{0,300})")
_MOST_ELEMENTS, _MOST_TITLES = 5_000, 5  # a real page has fewer; more would only cost time
# As the beginning of an element or of a text in the page's data. Only for pages that show no profile, and so no words
# of strangers.
_RESTRICTED = re.compile(r"""[>"]\s{0,200}(?:restricted profile\b|you must be \d\d years old\b)""")
_TAG = re.compile(r"<[^<>]{0,2000}>?")


@dataclass(frozen=True, slots=True)
class PageMarks:
    """Marks of one page. `user` says whether its data names the requested profile, as an object or as null."""

    has_markup: bool = False
    challenge_form: bool = False
    login_form: bool = False
    login_link: bool = False
    gone: bool = False
    user: Literal["absent", "null", "shown"] = "absent"
    restricted: bool = False  # the notice in place of a profile with an age limit or a blocked country
    other_profile: bool = False  # keys of a profile, under whatever name


def page_marks(body: str) -> PageMarks:
    """The marks of a page; a body without markup has none."""
    body = body.lower()
    markup, scripts = _parted(body)
    elements = [(found[1], found[2]) for found in islice(_ELEMENT.finditer(markup), _MOST_ELEMENTS)]
    headings = {_plain(found[1]) for found in islice(_HEADING.finditer(markup), _MOST_ELEMENTS)}
    titles = {_plain(found[1]) for found in islice(_TITLE.finditer(markup), _MOST_TITLES)}
    data = "".join(scripts.split())
    user = _user(data)
    return PageMarks(
        has_markup="<" in body,
        challenge_form=any(kind == "form" and 'action="/challenge' in rest for kind, rest in elements),
        login_form=bool(titles & _LOGIN_TITLES) or any(_is_login(kind, rest) for kind, rest in elements),
        login_link=any(kind == "a" and "/accounts/login" in _href(rest) for kind, rest in elements),
        gone=bool(titles & _GONE_TITLES or headings & _GONE_HEADINGS),
        user=user,
        restricted=user != "shown" and _RESTRICTED.search(body) is not None,
        other_profile=any(key in data for key in _PROFILE_KEYS),
    )


def visible_text(body: str) -> str:
    """The text between the elements, in lower case. Only for error pages, which hold no words of strangers."""
    markup, _ = _parted(body.lower())
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def _user(data: str) -> Literal["absent", "null", "shown"]:
    if _USER_KEY not in data:
        return "absent"
    return "null" if f"{_USER_KEY}null" in data else "shown"


def _is_login(kind: str, rest: str) -> bool:
    if kind == "form":
        return 'id="loginform"' in rest or 'action="/accounts/login' in rest
    return kind == "input" and 'name="password"' in rest


def _href(rest: str) -> str:
    _, _, after = rest.partition('href="')
    return after.partition('"')[0]


def _plain(text: str) -> str:
    return html.unescape(text).strip()


def _parted(body: str) -> tuple[str, str]:
    """The markup outside scripts, and the text of the scripts."""
    markup: list[str] = []
    scripts: list[str] = []
    at = 0
    while (start := body.find("<script", at)) >= 0:
        markup.append(body[at:start])
        opened = body.find(">", start)
        if opened < 0:
            return "".join(markup), "".join(scripts)
        closed = body.find("</script", opened)
        end = closed if closed >= 0 else len(body)
        scripts.append(body[opened + 1 : end])
        at = end + len("</script") if closed >= 0 else end
    markup.append(body[at:])
    return "".join(markup), "".join(scripts)
