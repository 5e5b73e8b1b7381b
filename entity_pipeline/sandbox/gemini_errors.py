"""The Gemini stand-in's errors, in the words and shapes of the real service, and the ones that chaos draws.

A per-day 429 says "retry in 28 s" like a per-minute one; only its `quotaId` tells them apart.
"""

from typing import Any

from entity_pipeline.sandbox.loopback_http import Reply, html_reply, json_reply
from entity_pipeline.sandbox.seeded import seeded_share

# The share of requests that each trouble hits under chaos; the per-period ones are rare because they end the day.
_CHAOS = (
    ("per_minute", 0.04),
    ("per_day", 0.002),
    ("grounding_exhausted", 0.002),
    ("bare_429", 0.01),
    ("internal", 0.02),
    ("overloaded", 0.03),
    ("bad_gateway", 0.02),
    ("dropped", 0.02),
    ("slow", 0.02),
    ("garbage", 0.02),
    ("safety", 0.004),
    ("recitation", 0.004),
    ("malformed_function_call", 0.004),
    ("prohibited_content", 0.004),
    ("prompt_blocked", 0.004),
    ("max_tokens", 0.004),
    ("no_metadata", 0.006),
    ("queries_only", 0.006),
    ("no_supports", 0.006),
    ("stray_support", 0.006),
    ("starts_at_once", 0.01),
    ("trailing_commas", 0.01),
    ("percent", 0.01),
    ("broken_then_mended", 0.006),
)
# Troubles that are odd answers, not errors; a sample gives the same words to some of its subjects.
ODD_ANSWERS = frozenset(name for name, _ in _CHAOS[_CHAOS.index(("garbage", 0.02)) + 1 :])
_TYPE = "type.googleapis.com/google.rpc."


def chaos_draw(seed: int, subject: str, nth: int) -> str:
    """The trouble that the subject's nth request meets, or ``""``; the order of requests doesn't matter."""
    left = seeded_share("gemini chaos", seed, subject, nth)
    for name, share in _CHAOS:
        if left < share:
            return name
        left -= share
    return ""


def trouble(name: str, retry_s: int = 28) -> Reply:
    """The reply for a name that `chaos_draw` gives, except ``slow``, which is a delay, and `ODD_ANSWERS`."""
    match name:
        case "per_minute":
            return _quota("GenerateRequestsPerMinutePerProjectPerModel", retry_s)
        case "per_day":
            return _quota("GenerateRequestsPerDayPerProjectPerModel", retry_s)
        case "grounding_exhausted":
            return _error(
                429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", [_help()]
            )
        case "bare_429":
            return _error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
        case "unpaid":
            return _error(
                429,
                "RESOURCE_EXHAUSTED",
                "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
            )
        case "internal":
            return _error(500, "INTERNAL", "An internal error has occurred. Please retry.")
        case "overloaded":
            return _error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        case "bad_gateway":
            return html_reply(
                "<html><title>502</title><h1>Server Error</h1>Please try again in 30 seconds.</html>", 502
            )
        case "dropped":
            return Reply(drop=True)
        case _:
            return Reply(200, b'{"candidates": [{"content": {"parts": [{"te', "application/json")


def unknown_model(model: str) -> Reply:
    """404, as for a retired model."""
    message = (
        f"models/{model} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ListModels to see the list of available models and their supported methods."
    )
    return _error(404, "NOT_FOUND", message)


def no_key() -> Reply:
    """403: no key was sent."""
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    )
    return _error(403, "PERMISSION_DENIED", message)


def bad_key() -> Reply:
    """400: the key is not valid."""
    info = {"@type": _TYPE + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    return _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [info])


def invalid_argument(message: str) -> Reply:
    """400 with the reason."""
    return _error(400, "INVALID_ARGUMENT", message)


def not_found(name: str) -> Reply:
    """404: no batch or file has this name."""
    return _error(404, "NOT_FOUND", f"{name} is not found.")


def file_is_gone(name: str) -> Reply:
    """403 for a file that was deleted, because it might be another project's."""
    message = f"You do not have permission to access the File {name} or it may not exist."
    return _error(403, "PERMISSION_DENIED", message)


def unsupported_mime_type(mime_type: str) -> Reply:
    """400 for an upload."""
    return _error(400, "INVALID_ARGUMENT", f"Unsupported MIME type: {mime_type}")


def _quota(quota_id: str, retry_s: int) -> Reply:
    message = (
        "You exceeded your current quota, please check your plan and billing details. "
        f"Please retry in {retry_s}.0s."
    )
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global"},
    }
    details = [
        {"@type": _TYPE + "QuotaFailure", "violations": [violation]},
        _help(),
        {"@type": _TYPE + "RetryInfo", "retryDelay": f"{retry_s}s"},
    ]
    return _error(429, "RESOURCE_EXHAUSTED", message, details)


def _help() -> dict[str, Any]:
    link = {
        "description": "Learn more about Gemini API quotas",
        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
    }
    return {"@type": _TYPE + "Help", "links": [link]}


def _error(code: int, status: str, message: str, details: list[dict[str, Any]] | None = None) -> Reply:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = details
    return json_reply({"error": error}, code)
