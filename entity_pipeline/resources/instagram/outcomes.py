"""What an attempt ended in, judged from the last HTTP answer. Pure.

The exception's class says next to nothing: Instaloader raises `ProfileNotExistsException` for a login wall,
for malformed JSON, for a missing `pk` and for a 404 alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from entity_pipeline.core.instagram.access import ProfileOutcome


class Ending(StrEnum):
    """How the call ended on our side, apart from what the server said."""

    READ = "read"  # the profile was read
    UNREADABLE = "unreadable"  # an exception other than those below
    TRANSPORT = "transport"  # the connection failed or broke off
    BUDGET = "budget"  # one more request than the attempt may make was asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """The last HTTP answer. `path` is the final one, `body` its text (the first megabytes are enough)."""

    status: int
    path: str = "/"
    location: str = ""  # as the header has it
    content_type: str = ""
    body: str = ""
    with_session: bool = False  # the request carried a `sessionid` cookie


_SHORT = 4_000  # characters; a full page carries scripts in which any of the words below may stand
_CHALLENGES = ("checkpoint_required", "challenge_required", "feedback_required")
_PLEASE_WAIT = ("please wait a few minutes", "rate limit", "too many requests", '"spam":true')
_LOGGED_OUT = ("login_required", "user_has_logged_out", "require_login")
_LOGIN_PAGE = ('id="loginform"', "login • instagram", "log in to instagram", 'name="password"')
_GONE_PAGE = (
    "this page isn't available",
    "this page isn&#039;t available",
    "this page isn’t available",
    "page not found",
)
_SOMEBODY = ('"biography":"', '"full_name":"')
_LOGIN_LINK = "/accounts/login"
_USER_KEY = '"xig_user_by_username"'


def judge(answer: Answer | None, ending: Ending) -> ProfileOutcome:
    """Name the outcome from the last answer (None when there was none) and how the call ended."""
    if ending is Ending.READ:
        return ProfileOutcome.FOUND
    if answer is not None:
        refused = _refusal(answer)
        if refused is not None:
            return refused
    if ending is Ending.BUDGET:
        return ProfileOutcome.BUDGET
    if ending is Ending.TRANSPORT or answer is None:
        return ProfileOutcome.TRANSPORT
    if answer.status in (404, 410):
        return ProfileOutcome.NOT_FOUND
    return _unread_page(answer) if answer.status == 200 else ProfileOutcome.SCHEMA_DRIFT


def path_of(url: str) -> str:
    """The path of an address, which may be malformed; without host, query and fragment."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _refusal(answer: Answer) -> ProfileOutcome | None:
    """What the server refused with, when its status, address or message says so plainly."""
    led_to = answer.location if 300 <= answer.status < 400 else answer.path
    by_path = _refusal_by_path(path_of(led_to).lower(), answer.with_session)
    if by_path is not None:
        return by_path
    if answer.status == 429:
        return ProfileOutcome.RATE_LIMITED
    if answer.status >= 500:
        return ProfileOutcome.UPSTREAM
    if "json" in answer.content_type.lower() or len(answer.body) < _SHORT:
        by_message = _refusal_by_message(answer)
        if by_message is not None:
            return by_message
    if answer.status in (401, 403):
        return _login_asked(answer.with_session)
    return None


def _refusal_by_path(path: str, with_session: bool) -> ProfileOutcome | None:
    if path.startswith(_LOGIN_LINK):
        return _login_asked(with_session)
    if path.startswith(("/challenge", "/checkpoint", "/auth_platform")):
        return ProfileOutcome.CHALLENGE
    if path.startswith(("/accounts/suspended", "/accounts/disabled")):
        return ProfileOutcome.SUSPENDED
    return None


def _refusal_by_message(answer: Answer) -> ProfileOutcome | None:
    body = answer.body.lower()
    squeezed = "".join(body.split())
    if any(mark in body for mark in _CHALLENGES):
        return ProfileOutcome.CHALLENGE
    if any(mark in body or mark in squeezed for mark in _PLEASE_WAIT):
        return ProfileOutcome.RATE_LIMITED
    if "account_suspended" in body or "accounts/suspended" in body:
        return ProfileOutcome.SUSPENDED
    if any(mark in body for mark in _LOGGED_OUT):
        return _login_asked(answer.with_session)
    return None


def _login_asked(with_session: bool) -> ProfileOutcome:
    # Without our cookies it is the wall every stranger meets, whatever session was loaded.
    return ProfileOutcome.LOGGED_OUT if with_session else ProfileOutcome.WALL


def _unread_page(answer: Answer) -> ProfileOutcome:
    """A 200 in which no profile was found; every page has a login link, so that alone comes last."""
    body = answer.body.lower()
    squeezed = "".join(body.split())
    if 'action="/challenge' in body:
        return ProfileOutcome.CHALLENGE
    if any(mark in body for mark in _LOGIN_PAGE):
        return ProfileOutcome.WALL
    if any(mark in squeezed for mark in _SOMEBODY):
        return ProfileOutcome.SCHEMA_DRIFT
    if any(mark in body for mark in _GONE_PAGE) or f"{_USER_KEY}:null" in squeezed:
        return ProfileOutcome.NOT_FOUND
    if _USER_KEY in squeezed:
        return ProfileOutcome.SCHEMA_DRIFT
    return ProfileOutcome.WALL if _LOGIN_LINK in body else ProfileOutcome.SCHEMA_DRIFT
