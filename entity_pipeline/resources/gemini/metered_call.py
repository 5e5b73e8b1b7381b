"""One question within the ledger's limits: reserve, send and settle until there is an answer or a reason for none.

Each attempt is one row: reserved, sent, then settled, failed or unknown, whatever happens in between.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import uuid4

from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.ledger import (
    ATTEMPTS_PER_CALL,
    InFlight,
    Refused,
    Replay,
    replaced_reason,
)
from entity_pipeline.core.gemini.models import GeminiModel
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply, Unanswered
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.usage import ReplyFigures, read_figures
from entity_pipeline.core.patience import patiently
from entity_pipeline.resources.gemini.client import Body, Exchange, Lost, Unsent
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, unavailable
from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.gemini.spans import attempt_span, note_answer, note_failure

LONGEST_WAIT_FOR_GOOGLE_S = 120
_PAUSE = timedelta(minutes=15)  # after refusals that name no quota
_FRESH_S = 20  # a process that slept longer between "sent" and sending may have been swept: it must not send
_NOT_SENT = NotAnswered(Unanswered.OVERLOADED, because("ledger_too_slow"))


@dataclass(frozen=True)
class MeteredCall:
    """`send` makes the call's request once; waiting ends at `deadline`, or when `stop` is set."""

    ledger: Ledger
    keeper: RequestKeeper
    send: Callable[[], Exchange]
    call: Call
    run_id: str
    stop: Event
    deadline: datetime

    def run(self) -> Answered | NotAnswered:
        """At most `ATTEMPTS_PER_CALL` requests, each with its own row.

        Raises:
            ModelUnavailable: see `core.gemini.access.GeminiAccess.ask`.
        """
        attempt, errors = 1, list[ErrorKind]()
        failure = NotAnswered(Unanswered.OVERLOADED, because("no_answer"))
        while attempt <= ATTEMPTS_PER_CALL:
            if self.stop.is_set():
                return NotAnswered(Unanswered.STOPPED, because("run_is_stopping"))
            place = patiently(partial(self._reserve, attempt, str(uuid4())), sleep=self.stop.wait)
            if isinstance(place, Refused) and self._may_wait(place):
                self._wait_until(place.retry_at)
                continue
            if not isinstance(place, Reserved):
                return _without_request(place)
            outcome = self._attempt(place, attempt, errors)
            if isinstance(outcome, Answered) or outcome.reason is not Unanswered.OVERLOADED:
                return outcome
            failure = outcome
            if outcome is not _NOT_SENT and attempt < ATTEMPTS_PER_CALL:
                self.stop.wait(2 ** (attempt - 1) * random.uniform(0.5, 1.0))
            attempt += 1
        return failure

    def _reserve(self, attempt: int, claim: str) -> Reserved | Replay | InFlight | Refused:
        return self.ledger.reserve(self.call, attempt, self.run_id, claim)

    def _attempt(self, place: Reserved, attempt: int, errors: list[ErrorKind]) -> Answered | NotAnswered:
        """One request; `_NOT_SENT` when its place was lost before anything was sent. An error is added to `errors`."""
        kept = self.keeper.kept(self.call.request, place.settings.keep_requests)
        asked_at = time.monotonic()
        if not patiently(lambda: self.ledger.mark_sent(place.event_id, kept), sleep=self.stop.wait):
            self.ledger.release(place.event_id, {"kind": "lost", "message": "the reservation expired"})
            return _NOT_SENT
        if time.monotonic() - asked_at > _FRESH_S:
            self.ledger.mark_unknown(place.event_id, {"kind": "late", "message": "never sent; counted"}, 0)
            return _NOT_SENT
        with attempt_span(self.call, place, attempt) as span:
            sent_at = time.monotonic()
            exchange = self.send()
            latency_ms = int((time.monotonic() - sent_at) * 1000)
            if isinstance(exchange, Body):
                figures = read_figures(exchange.body, self.call.request, place.model, place.quota_day)
                note_answer(span, figures)
            else:
                note_failure(span, exchange)
        if isinstance(exchange, Body):
            return patiently(lambda: self._settle(place, exchange.body, figures, latency_ms))
        if isinstance(exchange, GeminiError):
            errors.append(exchange.kind)
            return patiently(lambda: self._record_error(place, exchange, latency_ms, errors))
        return patiently(lambda: self._record_failure(place, exchange, latency_ms))

    def _settle(
        self, place: Reserved, body: Mapping[str, Any], figures: ReplyFigures, latency_ms: int
    ) -> Answered | NotAnswered:
        """Store any reply; return another model's reply only if the row `gemini` accepts it."""
        self.ledger.settle(place, body, figures, latency_ms)
        other = figures.billed_as
        if other is not None and other not in place.settings.accept_models:
            return NotAnswered(Unanswered.MODEL_REPLACED, replaced_reason(self.call.request.model, other))
        reply = StoredReply(place.event_id, body, figures.model_version, self.call.input_hash)
        return Answered(reply, replayed=False)

    def _record_failure(self, place: Reserved, exchange: Unsent | Lost, latency_ms: int) -> NotAnswered:
        if isinstance(exchange, Unsent):
            self.ledger.release(place.event_id, {"kind": "unsent", "message": exchange.message})
            return NotAnswered(Unanswered.UNREACHABLE, because("unreachable", message=exchange.message))
        self.ledger.mark_unknown(place.event_id, {"kind": "lost", "message": exchange.message}, latency_ms)
        return NotAnswered(Unanswered.NO_REPLY, because("no_reply", message=exchange.message))

    def _record_error(
        self, place: Reserved, error: GeminiError, latency_ms: int, errors: Sequence[ErrorKind]
    ) -> NotAnswered:
        is_no_minute = errors[-2:] == [ErrorKind.QUOTA_UNNAMED] * 2
        blocked_until = datetime.now(UTC) + _PAUSE if is_no_minute else _blocked_until(error, place.model)
        if 200 <= error.code < 300:  # an unreadable success may have been billed
            self.ledger.mark_unknown(place.event_id, error.as_record(), latency_ms)
        else:
            self.ledger.fail(place.event_id, error.as_record(), latency_ms, blocked_until)
        said = {"code": error.code, "status": error.status, "message": error.message}
        if (failure := unavailable(error, self.call.request.model)) is not None:
            raise failure
        if error.kind is ErrorKind.REFUSED:
            return NotAnswered(Unanswered.REFUSED, because("http_error", **said))
        if error.kind in (ErrorKind.QUOTA_DAY, ErrorKind.GROUNDING_EXHAUSTED) or is_no_minute:
            return NotAnswered(
                Unanswered.BLOCKED_BY_GOOGLE, because("quota_of_google", **said), blocked_until
            )
        # A short block is found by the next reservation, which waits for it.
        return NotAnswered(Unanswered.OVERLOADED, because("http_error", **said), blocked_until)

    def _may_wait(self, refused: Refused) -> bool:
        if refused.retry_at is None or refused.retry_at >= self.deadline:
            return False
        if refused.why is Unanswered.RATE_LIMITED:
            return True
        short = refused.retry_at - datetime.now(UTC) < timedelta(seconds=LONGEST_WAIT_FOR_GOOGLE_S)
        return refused.why is Unanswered.BLOCKED_BY_GOOGLE and short

    def _wait_until(self, instant: datetime | None) -> None:
        seconds = (instant - datetime.now(UTC)).total_seconds() if instant is not None else 0.0
        self.stop.wait(max(seconds, 0.0) + random.uniform(0.01, 0.1))


def _without_request(place: Replay | InFlight | Refused) -> Answered | NotAnswered:
    if isinstance(place, Replay):
        return Answered(place.reply, replayed=True)
    if isinstance(place, InFlight):
        return NotAnswered(Unanswered.IN_FLIGHT, because("in_flight"), place.until)
    return NotAnswered(place.why, place.reason, place.retry_at)


def _blocked_until(error: GeminiError, model: GeminiModel) -> datetime | None:
    """The time before which no request may leave after such an answer."""
    now = datetime.now(UTC)
    if error.kind in (ErrorKind.QUOTA_MINUTE, ErrorKind.QUOTA_UNNAMED):
        return now + timedelta(seconds=(error.wait_s or 0) * random.uniform(1.0, 1.2))
    if error.kind is ErrorKind.QUOTA_DAY:
        return next_reset(now, "day")
    return next_reset(now, model.pool.period) if error.kind is ErrorKind.GROUNDING_EXHAUSTED else None
