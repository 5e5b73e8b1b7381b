"""What an error answer of Gemini means for the next request. Pure: judged by status and keys, never by the message.

The message may quote what was sent, and so contain words of strangers. The one exception is a 429 that names no quota:
it is written before the request is read, and only its words tell used-up credits from a busy minute. A per-day 429
also says "retry in 28 s", so the delay is used only when `quotaId` names another period.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from entity_pipeline.core.failures import ModelUnavailable
from entity_pipeline.core.gemini.reasons import because

DEFAULT_WAIT_S = 60.0
LONGEST_WAIT_S = 600.0
# `reason` of google.rpc.ErrorInfo in a 400 that is about the key and not about the request.
_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
# "billing" alone is in every message about a quota.
_UNPAID = re.compile(r"\b(?:prepa(?:y|id)\w*|credits?|balance)\b", re.IGNORECASE)


class ErrorKind(StrEnum):
    """Error answers, by what to do next."""

    QUOTA_MINUTE = "quota_minute"  # wait as long as it says, then try again
    QUOTA_UNNAMED = "quota_unnamed"  # wait once; a second one in a row is not about a minute
    UNPAID = "unpaid"  # nothing more before a person pays: the project's credits are used up
    QUOTA_DAY = "quota_day"  # nothing more before the Pacific midnight
    GROUNDING_EXHAUSTED = "grounding_exhausted"  # nothing more before the pool's period ends
    OVERLOADED = "overloaded"  # 5xx or an unreadable answer: try again, three attempts in all
    REFUSED = "refused"  # this request will never work
    MISCONFIGURED = "misconfigured"  # no request will work: unknown model, key refused, region or billing


@dataclass(frozen=True, slots=True)
class GeminiError:
    """A classified error answer; `wait_s` is only set for QUOTA_MINUTE and QUOTA_UNNAMED."""

    kind: ErrorKind
    code: int
    status: str
    message: str
    quota_id: str | None = None
    wait_s: float | None = None

    def as_record(self) -> dict[str, Any]:
        """The value of the ledger's `error` column."""
        return {
            "kind": self.kind.value,
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "quota_id": self.quota_id,
        }


def unavailable(error: GeminiError, model: str) -> ModelUnavailable | None:
    """The failure of a run, where an answer is true of every request and not only of this one."""
    said = because("http_error", code=error.code, status=error.status, message=error.message)
    if error.kind is ErrorKind.MISCONFIGURED:
        return ModelUnavailable(
            f"Gemini refuses every request ({said}): check GEMINI_API_KEY, GEMINI_MODEL ('{model}') and "
            "GEMINI_BASE_URL."
        )
    if error.kind is ErrorKind.UNPAID:
        return ModelUnavailable(
            f"Gemini's credits are used up ({said}): pay for more or mend the project's billing in Google AI Studio. "
            "Nothing is lost; the next run continues."
        )
    return None


def classify_error(
    code: int, body: Any, grounded: bool, hide: Callable[[str], str] = lambda text: text
) -> GeminiError:
    """Classify a non-2xx answer; `body` is the decoded JSON, which may be any value.

    `hide` removes secrets from the answer's text.
    """

    def said(value: Any) -> str:
        return _text(hide(value)) if isinstance(value, str) else ""

    error = body.get("error", body) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        error = {}
    status, message, details = said(error.get("status")), said(error.get("message")), _details(error)
    if code == 429:
        return _classify_429(status, message, details, grounded, said)
    about_the_key = code == 400 and any(item.get("reason") in _KEY_REASONS for item in details)
    # A region or an account that Google does not serve: true of every request.
    about_the_project = code == 400 and status == "FAILED_PRECONDITION"
    if 300 <= code < 400 or code in (401, 403, 404) or about_the_key or about_the_project:
        kind = ErrorKind.MISCONFIGURED
    elif 400 <= code < 500 and code != 408:
        kind = ErrorKind.REFUSED
    else:
        kind = ErrorKind.OVERLOADED
    return GeminiError(kind, code, status, message)


def _classify_429(
    status: str,
    message: str,
    details: Sequence[Mapping[str, Any]],
    grounded: bool,
    said: Callable[[Any], str],
) -> GeminiError:
    quota_ids = [
        said(violation.get("quotaId"))
        for item in details
        if isinstance(item.get("violations"), list)
        for violation in item["violations"]
        if isinstance(violation, Mapping)
    ]
    daily = next((quota_id for quota_id in quota_ids if "PerDay" in quota_id), None)
    if daily:
        return GeminiError(ErrorKind.QUOTA_DAY, 429, status, message, quota_id=daily)
    if not any(quota_ids) and _UNPAID.search(message):
        return GeminiError(ErrorKind.UNPAID, 429, status, message)
    only_help = bool(details) and all(_text(item.get("@type")).endswith(".Help") for item in details)
    if grounded and only_help:
        return GeminiError(ErrorKind.GROUNDING_EXHAUSTED, 429, status, message)
    asked_to_wait = next(
        (wait for item in details if (wait := _seconds(item.get("retryDelay"))) is not None), DEFAULT_WAIT_S
    )
    kind = ErrorKind.QUOTA_MINUTE if any(quota_ids) else ErrorKind.QUOTA_UNNAMED
    quota_id = quota_ids[0] if quota_ids else None
    return GeminiError(kind, 429, status, message, quota_id, min(asked_to_wait, LONGEST_WAIT_S))


def _details(error: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    raw = error.get("details")
    return [item for item in raw if isinstance(item, Mapping)] if isinstance(raw, list) else []


def _seconds(delay: Any) -> float | None:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", delay) if isinstance(delay, str) else None
    return float(match[1]) if match else None


def _text(value: Any) -> str:
    return value[:500] if isinstance(value, str) else ""
