"""A table of what each error answer means; and no answer breaks the judgement."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, classify_error

TYPE = "type.googleapis.com/google.rpc."
HELP = {"@type": TYPE + "Help", "links": [{"description": "Learn more", "url": "https://ai.google.dev/x"}]}
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel"
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel"
TOKENS_PER_MINUTE = "GenerateContentPaidTierInputTokensPerModelPerMinute"
KEYS = ["error", "details", "@type", "violations", "quotaId", "retryDelay", "reason", "status", "message"]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([PER_DAY, "28s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


def violations(*quota_ids: Any) -> dict[str, Any]:
    return {"@type": TYPE + "QuotaFailure", "violations": [{"quotaId": quota_id} for quota_id in quota_ids]}


def retry(delay: Any) -> dict[str, Any]:
    return {"@type": TYPE + "RetryInfo", "retryDelay": delay}


def key_info(reason: Any) -> dict[str, Any]:
    return {"@type": TYPE + "ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def body(
    *details: Any, code: int = 429, status: str = "RESOURCE_EXHAUSTED", message: str = "Quota."
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": error | ({"details": list(details)} if details else {})}


@pytest.mark.parametrize(
    ("details", "grounded", "kind", "quota_id", "wait_s"),
    [
        ([violations(PER_MINUTE), HELP, retry("28s")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 28),
        ([violations(PER_MINUTE), HELP, retry("0.5s")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 0.5),
        ([violations(PER_MINUTE), HELP, retry("0s")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 0),
        ([violations(TOKENS_PER_MINUTE), retry("40s")], True, ErrorKind.QUOTA_MINUTE, TOKENS_PER_MINUTE, 40),
        ([violations(PER_MINUTE)], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 60),
        ([violations(PER_MINUTE), retry("9999s")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 600),
        ([violations(PER_MINUTE), retry("soon")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 60),
        ([violations(PER_MINUTE), retry("-5s")], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 60),
        ([violations(PER_MINUTE), retry(28)], True, ErrorKind.QUOTA_MINUTE, PER_MINUTE, 60),
        ([violations(PER_DAY), HELP, retry("28s")], True, ErrorKind.QUOTA_DAY, PER_DAY, None),
        ([violations(PER_DAY), HELP, retry("28s")], False, ErrorKind.QUOTA_DAY, PER_DAY, None),
        ([HELP, retry("28s"), violations(PER_MINUTE, PER_DAY)], True, ErrorKind.QUOTA_DAY, PER_DAY, None),
        ([violations(PER_MINUTE), violations(PER_DAY)], True, ErrorKind.QUOTA_DAY, PER_DAY, None),
        ([HELP], True, ErrorKind.GROUNDING_EXHAUSTED, None, None),
        ([HELP, HELP], True, ErrorKind.GROUNDING_EXHAUSTED, None, None),
        ([HELP], False, ErrorKind.QUOTA_UNNAMED, None, 60),
        ([HELP, retry("7s")], True, ErrorKind.QUOTA_UNNAMED, None, 7),
        ([retry("7s")], True, ErrorKind.QUOTA_UNNAMED, None, 7),
        ([], True, ErrorKind.QUOTA_UNNAMED, None, 60),
        ([], False, ErrorKind.QUOTA_UNNAMED, None, 60),
        (["text", None, 7], True, ErrorKind.QUOTA_UNNAMED, None, 60),
        ([{"violations": "text"}], True, ErrorKind.QUOTA_UNNAMED, None, 60),
        ([violations(None, 7)], True, ErrorKind.QUOTA_UNNAMED, "", 60),
    ],
)
def test_a_429_is_judged_by_its_quota_and_never_by_its_delay(
    details: list[Any], grounded: bool, kind: ErrorKind, quota_id: str | None, wait_s: float | None
) -> None:
    error = classify_error(429, body(*details), grounded)
    assert error == GeminiError(kind, 429, "RESOURCE_EXHAUSTED", "Quota.", quota_id, wait_s)


@pytest.mark.parametrize(
    ("message", "details", "kind"),
    [
        ("Your prepayment credits are depleted. Please go to AI Studio.", [], ErrorKind.UNPAID),
        ("Your prepayment credits are depleted.", [retry("28s")], ErrorKind.UNPAID),
        ("Your prepayment credits are depleted.", [HELP], ErrorKind.UNPAID),
        ("You have insufficient credit.", [], ErrorKind.UNPAID),
        ("Your credits are depleted.", [violations(PER_MINUTE)], ErrorKind.QUOTA_MINUTE),
        ("Check your plan and billing details.", [retry("28s")], ErrorKind.QUOTA_UNNAMED),
        ("Resource has been exhausted (e.g. check quota).", [], ErrorKind.QUOTA_UNNAMED),
        ("Credited to nobody: accredited.", [], ErrorKind.QUOTA_UNNAMED),
    ],
)
def test_used_up_credits_are_told_from_a_busy_minute_by_words(
    message: str, details: list[Any], kind: ErrorKind
) -> None:
    assert classify_error(429, body(*details, message=message), grounded=True).kind is kind


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    [
        (500, "INTERNAL", "An internal error has occurred.", ErrorKind.OVERLOADED),
        (502, "Bad Gateway", "<html>", ErrorKind.OVERLOADED),
        (503, "UNAVAILABLE", "The model is overloaded.", ErrorKind.OVERLOADED),
        (504, "DEADLINE_EXCEEDED", "", ErrorKind.OVERLOADED),
        (408, "", "", ErrorKind.OVERLOADED),
        (204, "", "", ErrorKind.OVERLOADED),
        (0, "", "", ErrorKind.OVERLOADED),
        (400, "INVALID_ARGUMENT", "Tool use with a response mime type is unsupported", ErrorKind.REFUSED),
        (400, "FAILED_PRECONDITION", "User location is not supported", ErrorKind.MISCONFIGURED),
        (413, "", "", ErrorKind.REFUSED),
        (401, "UNAUTHENTICATED", "", ErrorKind.MISCONFIGURED),
        (403, "PERMISSION_DENIED", "", ErrorKind.MISCONFIGURED),
        (404, "NOT_FOUND", "no longer available to new users", ErrorKind.MISCONFIGURED),
        (302, "Found", "", ErrorKind.MISCONFIGURED),
        (308, "", "", ErrorKind.MISCONFIGURED),
    ],
)
def test_any_other_code_says_whether_to_try_again(
    code: int, status: str, message: str, kind: ErrorKind, grounded: bool
) -> None:
    error = classify_error(code, body(status=status, message=message), grounded)
    assert error == GeminiError(kind, code, status, message)


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("API_KEY_INVALID", "API key not valid. Please pass a valid API key."),
        ("API_KEY_INVALID", "API Key expired."),
        ("API_KEY_INVALID", ""),
        ("API_KEY_EXPIRED", "API key expired. Please renew the API key."),
    ],
)
def test_a_key_that_google_does_not_take_is_known_by_the_reason_in_the_details(
    reason: str, message: str, grounded: bool
) -> None:
    answer = body(HELP, key_info(reason), code=400, status="INVALID_ARGUMENT", message=message)
    error = classify_error(400, answer, grounded)
    assert error == GeminiError(ErrorKind.MISCONFIGURED, 400, "INVALID_ARGUMENT", message)


STRANGERS_TEXT = (
    "API key not valid. API_KEY_INVALID. PERMISSION_DENIED. Please retry in 28s. "
    f'{PER_DAY} {{"quotaId": "{PER_DAY}", "reason": "API_KEY_INVALID", "retryDelay": "28s"}}'
)


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 408, 413, 429, 500, 503])
@pytest.mark.parametrize(
    "details",
    [[], [HELP], [violations(PER_MINUTE), retry("7s")], [key_info("API_KEY_INVALID")], [key_info("OTHER")]],
)
def test_text_of_a_stranger_in_the_message_decides_nothing(
    details: list[Any], code: int, grounded: bool
) -> None:
    plain = classify_error(code, body(*details, code=code, message="Quota."), grounded)
    quoting = classify_error(code, body(*details, code=code, message=STRANGERS_TEXT), grounded)
    assert replace(quoting, message="") == replace(plain, message="")
    assert quoting.message == STRANGERS_TEXT


def test_an_error_that_is_not_wrapped_is_read_as_well() -> None:
    unwrapped = body(violations(PER_DAY))["error"]
    assert classify_error(429, unwrapped, True).kind is ErrorKind.QUOTA_DAY


def test_what_is_kept_of_an_error_is_short_and_complete() -> None:
    error = classify_error(429, body(violations(PER_DAY + "x" * 900), message="m" * 900), True)
    record = error.as_record()
    assert record == {
        "kind": "quota_day",
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "m" * 500,
        "quota_id": (PER_DAY + "x" * 900)[:500],
    }


@given(st.integers(0, 999), ANYTHING, st.booleans())
def test_no_body_whatever_is_in_it_breaks_the_judgement(code: int, hostile: Any, grounded: bool) -> None:
    error = classify_error(code, hostile, grounded)
    assert (error.wait_s is not None) == (error.kind is ErrorKind.QUOTA_MINUTE)
    assert error.wait_s is None or 0 <= error.wait_s <= 600


@given(st.lists(ANYTHING, max_size=4), st.booleans())
def test_no_details_of_a_429_break_the_judgement(details: list[Any], grounded: bool) -> None:
    assert classify_error(429, body(*details), grounded).code == 429
