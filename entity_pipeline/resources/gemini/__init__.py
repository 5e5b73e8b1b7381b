"""Gemini under the ledger: the only way a request leaves this project.

One attempt is one row: reserved, sent, then settled, failed or unknown, whatever happens in between.
"""

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event, Lock
from typing import Any
from uuid import uuid4

import dagster as dg
from pydantic import Field, PrivateAttr

from entity_pipeline.core.failures import ConfigurationFailure, ModelUnavailable
from entity_pipeline.core.gemini.access import Answered, NotAnswered, Prompt, RecentReplies, Unanswered
from entity_pipeline.core.gemini.ledger import (
    ATTEMPTS_PER_CALL,
    CallIntent,
    InFlight,
    Limits,
    QuotaStatus,
    Refusal,
    Refused,
    Replay,
    StoredReply,
)
from entity_pipeline.core.gemini.models import DEFAULT_MODEL, GeminiModel, find_model
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.usage import (
    SpendDay,
    TokenUsage,
    count_search_queries,
    read_usage,
    token_cost_usd,
)
from entity_pipeline.core.patience import patiently
from entity_pipeline.resources.gemini.client import Exchange, GeminiClient, Lost, Unsent
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.gemini.ledger_reading import recent_replies, spend_of_day
from entity_pipeline.resources.gemini.spans import attempt_span, note_exchange
from entity_pipeline.resources.gemini.spend import read_spend, roll_up_spend
from entity_pipeline.resources.postgres import PostgresResource

LONGEST_WAIT_FOR_GOOGLE_S = 120
_FRESH_S = 20  # a process that slept longer between "sent" and sending may have been swept: it must not send


class GeminiResource(dg.ConfigurableResource):
    """The configured model behind the ledger in the assets database."""

    assets_db: dg.ResourceDependency[PostgresResource]
    api_key: str = Field(repr=False, description="Secret. Key of the Google project whose quota is counted.")
    base_url: str | None = Field(default=None, description="Another server that speaks the same protocol.")
    model_name: str = Field(default=DEFAULT_MODEL, description="A model of core/gemini/models.py.")

    _client: GeminiClient | None = PrivateAttr(default=None)
    _client_lock: Any = PrivateAttr(default_factory=Lock)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections to Gemini."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def model(self) -> str:
        """The configured model's name."""
        return self.model_name

    @property
    def ledger(self) -> Ledger:
        """The ledger all requests go through."""
        return Ledger(self.assets_db)

    def ask(
        self,
        intent: CallIntent,
        prompt: Prompt,
        limits: Limits,
        *,
        run_id: str,
        stop: Event,
        deadline: datetime,
    ) -> Answered | NotAnswered:
        """See `core.gemini.GeminiAccess.ask`."""
        model, client = self._registered_model(), self._connected()
        return MeteredCall(
            ledger=self.ledger,
            send=lambda: client.send(self.model_name, prompt, grounded=intent.grounded),
            model=model,
            intent=intent,
            limits=limits,
            run_id=run_id,
            stop=stop,
            deadline=deadline,
        ).run()

    def max_cost_usd(self, prompt: Prompt) -> Decimal:
        """See `core.gemini.GeminiAccess.max_cost_usd`; a token is at least one byte of the prompt."""
        prompt_bytes = len(prompt.system.encode()) + len(prompt.text.encode())
        most = TokenUsage(prompt=prompt_bytes, output=prompt.max_output_tokens)
        return token_cost_usd(self._registered_model(), most, datetime.now(UTC).date())

    def sweep(self) -> int:
        """See `core.gemini.GeminiAccess.sweep`."""
        return self.ledger.sweep()

    def quota(self, limits: Limits) -> QuotaStatus:
        """See `core.gemini.GeminiAccess.quota`."""
        return self.ledger.status(limits, self._registered_model())

    def roll_up_spend(self, since: date) -> int:
        """See `core.gemini.GeminiAccess.roll_up_spend`."""
        return roll_up_spend(self.assets_db, since)

    def spend(self, since: date) -> list[SpendDay]:
        """See `core.gemini.GeminiAccess.spend`."""
        return read_spend(self.assets_db, since)

    def spend_of_day(self, day: date) -> list[SpendDay]:
        """See `core.gemini.GeminiAccess.spend_of_day`."""
        return spend_of_day(self.assets_db, day)

    def recent_replies(self, since: datetime) -> RecentReplies:
        """See `core.gemini.GeminiAccess.recent_replies`."""
        return recent_replies(self.assets_db, self.model_name, since)

    def _registered_model(self) -> GeminiModel:
        model = find_model(self.model_name)
        if model is None:
            raise ConfigurationFailure(
                f"GEMINI_MODEL is '{self.model_name}', whose prices and quota are not known: choose one of "
                "entity_pipeline/core/gemini/models.py or add it there."
            )
        return model

    def _connected(self) -> GeminiClient:
        with self._client_lock:
            if self._client is None:
                if not self.api_key:
                    raise ConfigurationFailure(
                        "GEMINI_API_KEY is not set: set it to a key of your Google project."
                    )
                self._client = GeminiClient(self.api_key, self.base_url or None)
            return self._client


class MeteredCall:
    """One question: reserve, send and settle until there is an answer or a reason why there is none."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        send: Callable[[], Exchange],
        model: GeminiModel,
        intent: CallIntent,
        limits: Limits,
        run_id: str,
        stop: Event,
        deadline: datetime,
    ) -> None:
        self._ledger = ledger
        self._send = send
        self._model = model
        self._intent = intent
        self._limits = limits
        self._run_id = run_id
        self._stop = stop
        self._deadline = deadline

    def run(self) -> Answered | NotAnswered:
        """At most `ATTEMPTS_PER_CALL` requests, each with its own row."""
        attempt = 1
        failure = NotAnswered(Unanswered.OVERLOADED, "Gemini did not answer.")
        while attempt <= ATTEMPTS_PER_CALL:
            if self._stop.is_set():
                return NotAnswered(Unanswered.STOPPED, "The run is stopping.")
            place = patiently(partial(self._reserve, attempt, str(uuid4())), sleep=self._stop.wait)
            if isinstance(place, Replay):
                return Answered(place.reply, replayed=True)
            if isinstance(place, InFlight):
                return NotAnswered(
                    Unanswered.IN_FLIGHT, "Another worker is asking for this account.", place.until
                )
            if isinstance(place, Refused):
                if not self._may_wait(place):
                    return _refusal(place)
                self._wait_until(place.retry_at)
                continue
            outcome = self._attempt(place, attempt)
            if outcome is None:
                attempt += 1
                failure = NotAnswered(Unanswered.OVERLOADED, "The ledger is too slow: nothing was sent.")
                continue
            if isinstance(outcome, Answered) or outcome.reason is not Unanswered.OVERLOADED:
                return outcome
            failure = outcome
            attempt += 1
            if attempt <= ATTEMPTS_PER_CALL:
                self._stop.wait(2 ** (attempt - 2) * random.uniform(0.5, 1.0))
        return failure

    def _reserve(self, attempt: int, claim: str) -> Reserved | Replay | InFlight | Refused:
        return self._ledger.reserve(self._intent, self._limits, self._model, attempt, self._run_id, claim)

    def _attempt(self, place: Reserved, attempt: int) -> Answered | NotAnswered | None:
        """One request, or None when its place was lost before anything was sent."""
        asked_at = time.monotonic()
        if not patiently(lambda: self._ledger.mark_sent(place.event_id), sleep=self._stop.wait):
            self._ledger.release(place.event_id, {"kind": "lost", "message": "the reservation ran out"})
            return None
        if time.monotonic() - asked_at > _FRESH_S:
            self._ledger.mark_unknown(place.event_id, {"kind": "late", "message": "never sent; counted"}, 0)
            return None
        with attempt_span(self._intent, place, attempt) as span:
            sent_at = time.monotonic()
            exchange = self._send()
            latency_ms = int((time.monotonic() - sent_at) * 1000)
            note_exchange(span, exchange, self._model, place)
        return patiently(lambda: self._record(place, exchange, latency_ms))

    def _record(self, place: Reserved, exchange: Exchange, latency_ms: int) -> Answered | NotAnswered:
        if isinstance(exchange, Unsent):
            self._ledger.release(place.event_id, {"kind": "unsent", "message": exchange.message})
            return NotAnswered(Unanswered.UNREACHABLE, f"Gemini can't be reached ({exchange.message}).")
        if isinstance(exchange, Lost):
            self._ledger.mark_unknown(
                place.event_id, {"kind": "lost", "message": exchange.message}, latency_ms
            )
            return NotAnswered(Unanswered.NO_REPLY, f"Gemini gave no whole answer ({exchange.message}).")
        if isinstance(exchange, GeminiError):
            return self._record_error(place, exchange, latency_ms)
        return self._settle(place, exchange.body, latency_ms)

    def _settle(self, place: Reserved, body: Mapping[str, Any], latency_ms: int) -> Answered:
        usage = read_usage(body)
        version = body.get("modelVersion")
        # A text column takes no NUL and no lone surrogate; a version of nothing names no other model.
        shown = "".join(filter(str.isprintable, version[:200])) if isinstance(version, str) else ""
        model_version = shown if shown.strip() else None
        self._ledger.settle(
            place,
            self._model,
            body=body,
            model_version=model_version,
            usage=usage,
            search_queries=count_search_queries(body) if self._intent.grounded else 0,
            token_cost_usd=token_cost_usd(self._model, usage, place.quota_day),
            grounded=self._intent.grounded,
            latency_ms=latency_ms,
        )
        reply = StoredReply(place.event_id, body, model_version, self._intent.input_hash)
        return Answered(reply, replayed=False)

    def _record_error(self, place: Reserved, error: GeminiError, latency_ms: int) -> NotAnswered:
        now = datetime.now(UTC)
        blocked_until: datetime | None = None
        if error.kind is ErrorKind.QUOTA_MINUTE:
            blocked_until = now + timedelta(seconds=(error.wait_s or 0) * random.uniform(1.0, 1.2))
        elif error.kind is ErrorKind.QUOTA_DAY:
            blocked_until = next_reset(now, "day")
        elif error.kind is ErrorKind.GROUNDING_EXHAUSTED:
            blocked_until = next_reset(now, self._model.pool.period)
        if 200 <= error.code < 300:  # an unreadable success may have been billed
            self._ledger.mark_unknown(place.event_id, error.as_record(), latency_ms)
        else:
            self._ledger.fail(place.event_id, error.as_record(), latency_ms, blocked_until)
        said = f"HTTP {error.code} {error.status}: {error.message}"
        if error.kind is ErrorKind.MISCONFIGURED:
            raise ModelUnavailable(
                f"Gemini refuses every request ({said}): check GEMINI_API_KEY, GEMINI_MODEL ('{self._model.name}') "
                "and GEMINI_BASE_URL."
            )
        if error.kind is ErrorKind.REFUSED:
            return NotAnswered(Unanswered.REFUSED, said)
        if error.kind in (ErrorKind.QUOTA_DAY, ErrorKind.GROUNDING_EXHAUSTED):
            return NotAnswered(
                Unanswered.BLOCKED_BY_GOOGLE, f"Google's quota is used up ({said}).", blocked_until
            )
        # A short block is found by the next reservation, which waits for it.
        return NotAnswered(Unanswered.OVERLOADED, said, blocked_until)

    def _may_wait(self, refused: Refused) -> bool:
        if refused.refusal is Refusal.RATE_LIMITED:
            return refused.retry_at < self._deadline
        short = refused.retry_at - datetime.now(UTC) < timedelta(seconds=LONGEST_WAIT_FOR_GOOGLE_S)
        return refused.refusal is Refusal.BLOCKED_BY_GOOGLE and short and refused.retry_at < self._deadline

    def _wait_until(self, instant: datetime) -> None:
        seconds = (instant - datetime.now(UTC)).total_seconds()
        self._stop.wait(max(seconds, 0.0) + random.uniform(0.01, 0.1))


def _refusal(refused: Refused) -> NotAnswered:
    if refused.refusal is Refusal.RATE_LIMITED:
        return NotAnswered(Unanswered.STOPPED, "The step's time is up.", refused.retry_at)
    sentences = {
        Refusal.CAP_REACHED: "The grounding cap of the quota period is reached.",
        Refusal.SPEND_REACHED: "The spending limit of the quota day is reached.",
        Refusal.BLOCKED_BY_GOOGLE: "Google refuses further requests until then.",
    }
    return NotAnswered(Unanswered(refused.refusal.value), sentences[refused.refusal], refused.retry_at)
