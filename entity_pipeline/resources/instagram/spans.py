"""An operation, and each of its HTTP requests, as spans.

A span says only `anonymous` or `session`: the pool's accounts are the operator's secret, and the path holds the target.
Neither is in a span, nor is any header, proxy or text of the answer.
"""

from contextlib import AbstractContextManager
from typing import Any

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.tracing import Span
from entity_pipeline.resources.instagram.seats import Busy, Grant
from entity_pipeline.resources.tracing import active

_PREFIX = "entity_pipeline.instagram"
_DEFERRED = "deferred"
_ANSWERS = frozenset({Finding.FOUND, Finding.NOT_FOUND, Finding.PRIVATE, Finding.RESTRICTED})


def operation_span(name: str) -> AbstractContextManager[Span]:
    """One attempt at an operation, from the wait for a seat on."""
    return active().call(f"instagram {name}", {}, is_request=False)


def request_span(method: str, host: str, number: int, with_session: bool) -> AbstractContextManager[Span]:
    """One request of an attempt; the first has number 1."""
    return active().call(
        f"{method} {host}",
        {
            "http.request.method": method,
            "server.address": host,
            f"{_PREFIX}.request": number,
            f"{_PREFIX}.with_session": with_session,
        },
    )


def note_grant(span: Span, grant: Grant | Busy, waited_s: float) -> None:
    """Note how long the windows made it wait, and its route; without a seat nothing is sent."""
    span.note({f"{_PREFIX}.window_wait_s": round(waited_s, 3)})
    if isinstance(grant, Grant):
        seat = "anonymous" if grant.seat.account is None else "session"
        span.note({f"{_PREFIX}.route": grant.seat.route, f"{_PREFIX}.seat": seat})
    else:
        span.note({f"{_PREFIX}.outcome": _DEFERRED})


def note_ended(span: Span, ended: Result[Any] | Deferred) -> None:
    """Note the outcome: a failure unless the target's state is known or nothing was sent."""
    if isinstance(ended, Deferred):
        span.note({f"{_PREFIX}.outcome": _DEFERRED})
        return
    span.note({f"{_PREFIX}.outcome": ended.word})
    if ended.finding not in _ANSWERS:
        span.failed(ended.word)
