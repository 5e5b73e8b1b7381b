"""A look at a profile, and each of its HTTP requests, as spans.

Surprising: who asks is only ever `anonymous` or `session`. An account of the pool is a secret of the operator's,
and whose profile it is stands in the path; neither is in a span, nor is any header, proxy or text of the answer.
"""

from contextlib import AbstractContextManager

from entity_pipeline.core.instagram.access import ProfileFetch, ProfileOutcome
from entity_pipeline.core.tracing import Span
from entity_pipeline.resources.instagram.seats import Busy, Grant
from entity_pipeline.resources.tracing import active

_PREFIX = "entity_pipeline.instagram"
_ANSWERS = frozenset({ProfileOutcome.FOUND, ProfileOutcome.NOT_FOUND, ProfileOutcome.DEFERRED})


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
    """How long the windows made it wait, and by which way it goes out; without a place nothing is sent."""
    span.note({f"{_PREFIX}.window_wait_s": round(waited_s, 3)})
    if isinstance(grant, Grant):
        seat = "anonymous" if grant.seat.account is None else "session"
        span.note({f"{_PREFIX}.route": grant.seat.route, f"{_PREFIX}.seat": seat})
    else:
        span.note({f"{_PREFIX}.outcome": ProfileOutcome.DEFERRED.value})


def note_fetch(span: Span, fetch: ProfileFetch) -> None:
    """What came of it."""
    span.note({f"{_PREFIX}.outcome": fetch.outcome.value})
    if fetch.outcome not in _ANSWERS:
        span.failed(fetch.outcome.value)
