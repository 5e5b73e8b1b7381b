"""What an answer means for the seat and for the target. Pure: (call, status, keys) in, a verdict out.

The exception's class says almost nothing: Instaloader raises `ProfileNotExistsException` for a login wall, for
malformed JSON, for a missing `pk` and for a 404 alike. No text of an answer is searched, because strangers write
most of it: JSON is judged by its keys (`said.py`), a page by its elements (`page_marks.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.resources.instagram.answers import Answer, Ending, path_of
from entity_pipeline.resources.instagram.page_marks import PageMarks, page_marks, visible_text
from entity_pipeline.resources.instagram.said import Said, said


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about the target, and what the seat learned."""

    finding: Finding
    seat: SeatOutcome


ABSENT = Verdict(Finding.NOT_FOUND, SeatOutcome.OK)
UNREADABLE = Verdict(Finding.DRIFT, SeatOutcome.UNCLEAR)
RESTRICTED = Verdict(Finding.RESTRICTED, SeatOutcome.OK)
PRIVATE = Verdict(Finding.PRIVATE, SeatOutcome.OK)


def nothing(status: int, keys: Said) -> Verdict | None:  # noqa: ARG001 - the signature of `DataCall.says`
    """A `says` without rules of its own."""
    return None


@dataclass(frozen=True, slots=True)
class PageCall:
    """A request for an HTML page. `says` judges a page that refuses nothing."""

    says: Callable[[int, PageMarks], Verdict]


@dataclass(frozen=True, slots=True)
class DataCall:
    """A request for JSON. `says` judges what only this call can say; None leaves it to the rules of all calls."""

    says: Callable[[int, Said], Verdict | None] = nothing


Call = PageCall | DataCall

_CHALLENGES = (
    "checkpoint_required",
    "checkpoint_challenge_required",
    "challenge_required",
    "feedback_required",
)
_PLEASE_WAIT = ("please wait a few minutes", "rate limit", "rate_limit", "too many requests")
_SUSPENDED = ("account_suspended",)
_LOGGED_OUT = ("login_required", "user_has_logged_out", "require_login")
_PRIVATE = ("not authorized to view user",)
_BARE_NOT_FOUND = "not found"
_LONGEST_ERROR_PAGE = 20_000  # characters


def judge(call: Call, answer: Answer | None, ending: Ending) -> Verdict:
    """The verdict on a call that brought no value, from its last answer (None when there was none)."""
    refusal = refused(answer) if answer is not None else None
    if refusal is not None:
        return refusal
    if isinstance(call, DataCall) and answer is not None and 300 <= answer.status < 400:
        return UNREADABLE  # to the home page: the address is retired
    if ending is Ending.BUDGET:
        return Verdict(Finding.BUDGET, SeatOutcome.UNCLEAR)
    if ending is Ending.TRANSPORT or answer is None:
        return _refused(SeatOutcome.TRANSPORT)
    if isinstance(call, PageCall):
        return call.says(answer.status, page_marks(answer.body))
    return _data(call, answer)


def refused(answer: Answer) -> Verdict | None:
    """The verdict when an answer clearly refuses; None when it does not."""
    seat = _refusal(answer)
    return None if seat is None else _refused(seat)


def login_asked(with_session: bool) -> SeatOutcome:
    """The outcome when Instagram asks for a login.

    Without our session it is the wall that every stranger meets, whatever session was loaded.
    """
    return SeatOutcome.LOGGED_OUT if with_session else SeatOutcome.WALL


def _refused(seat: SeatOutcome) -> Verdict:
    return Verdict(Finding.UNANSWERED, seat)


def _data(call: DataCall, answer: Answer) -> Verdict:
    """Judge JSON without a refusal. A bare 404 masks a challenge; a real absence is an object."""
    keys = said(answer.body)
    if keys is None:
        masked = answer.status == 404 and answer.body.strip().lower() == _BARE_NOT_FOUND
        return _refused(SeatOutcome.CHALLENGED) if masked else UNREADABLE
    own = call.says(answer.status, keys)
    if own is not None:
        return own
    if any(keys.message.startswith(words) for words in _PRIVATE):
        return PRIVATE
    return ABSENT if answer.status in (404, 410) else UNREADABLE


def _refusal(answer: Answer) -> SeatOutcome | None:
    """The refusal, when the answer's address, status, keys or elements show one clearly."""
    led_to = answer.location if 300 <= answer.status < 400 else answer.path
    by_path = _refusal_by_path(path_of(led_to).lower(), answer.with_session)
    if by_path is not None:
        return by_path
    if answer.status == 429:
        return SeatOutcome.LIMITED
    if answer.status >= 500:
        return SeatOutcome.UPSTREAM
    keys = said(answer.body)
    by_words = _refusal_by_keys(keys, answer.with_session) if keys is not None else _refusal_by_page(answer)
    if by_words is None and answer.status in (401, 403):
        return login_asked(answer.with_session)
    return by_words


def _refusal_by_path(path: str, with_session: bool) -> SeatOutcome | None:
    if path.startswith("/accounts/login"):
        return login_asked(with_session)
    if path.startswith(("/challenge", "/checkpoint", "/auth_platform")):
        return SeatOutcome.CHALLENGED
    if path.startswith(("/accounts/suspended", "/accounts/disabled")):
        return SeatOutcome.SUSPENDED
    return None


def _refusal_by_keys(keys: Said, with_session: bool) -> SeatOutcome | None:
    for begins_with, seat in (
        (_CHALLENGES, SeatOutcome.CHALLENGED),
        (_PLEASE_WAIT, SeatOutcome.LIMITED),
        (_SUSPENDED, SeatOutcome.SUSPENDED),
        (_LOGGED_OUT, login_asked(with_session)),
    ):
        if any(words.startswith(begins_with) for words in keys.words):
            return seat
    if keys.spam:
        return SeatOutcome.LIMITED
    if keys.require_login:
        return login_asked(with_session)
    return _refusal_by_path(path_of(keys.checkpoint_url), with_session)


def _refusal_by_page(answer: Answer) -> SeatOutcome | None:
    marks = page_marks(answer.body)
    if marks.challenge_form:
        return SeatOutcome.CHALLENGED
    if marks.login_form:
        return login_asked(answer.with_session)
    if answer.status < 400 and marks.has_markup:
        return None
    # A bare sentence, or an error page: short, and without words of strangers. Other texts may be cut-off JSON.
    text = visible_text(answer.body[:_LONGEST_ERROR_PAGE])
    is_asked = (
        any(words in text for words in _PLEASE_WAIT) if marks.has_markup else text.startswith(_PLEASE_WAIT)
    )
    return SeatOutcome.LIMITED if is_asked and len(answer.body) <= _LONGEST_ERROR_PAGE else None
