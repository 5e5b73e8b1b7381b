"""The vocabulary and the admission rule of the Gemini ledger; its SQL is in `resources/gemini/ledger_sql.py`.

A request is a row of `gemini_usage_events` that goes reserved -> sent -> settled | failed | unknown, or
reserved -> released when it provably never left. Everything but a released row counts against the cap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from entity_pipeline.core.gemini.models import GroundingPool
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.usage import search_cost_usd

# The id of a request as text: the column may be a uuid, a number or text, and only the database needs to know.
EventId = str

CALL_LIMIT_S = 60
STALE_AFTER_S = CALL_LIMIT_S + 30
ATTEMPTS_PER_CALL = 3


class Refusal(StrEnum):
    """Why the ledger lets no request out now."""

    CAP_REACHED = "cap_reached"
    SPEND_REACHED = "spend_reached"
    BLOCKED_BY_GOOGLE = "blocked_by_google"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person configured; `daily_grounding_cap` is in units of the model's pool a quota day.

    A pool with a monthly allowance is also held to that allowance.
    """

    daily_grounding_cap: int
    requests_per_minute: int
    daily_spend_usd: Decimal


@dataclass(frozen=True, slots=True)
class CallIntent:
    """One request that wants to go out.

    `subject` is the account; with `pipeline` and `step` it is the claim. `config_hash` covers prompt, schema,
    model and configuration, `input_hash` the same and the profile. `max_cost_usd` is for tokens alone.
    `consumed_event_id` is the paid reply that the account already holds: any later one was paid for and never
    used, and is replayed.
    """

    pipeline: str
    step: str
    kind: str  # "review" or "repair"
    subject: str
    model: str
    grounded: bool
    input_hash: str
    config_hash: str
    max_cost_usd: Decimal
    consumed_event_id: EventId | None = None


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the ledger holds at the moment of admission, read under its lock."""

    now: datetime
    quota_day: date
    units_in_period: int
    units_today: int
    spent_usd: Decimal
    requests_last_minute: int
    minute_frees_at: datetime | None
    blocked_until: datetime | None
    claimed_until: datetime | None
    replay: "StoredReply | None"


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A settled reply as the ledger keeps it."""

    event_id: EventId
    body: Mapping[str, Any]
    model_version: str | None
    input_hash: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Already paid for: use this reply."""

    reply: StoredReply


@dataclass(frozen=True, slots=True)
class InFlight:
    """Another worker holds the claim on the account until `until` at the latest."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing may go out before `retry_at`."""

    refusal: Refusal
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """A row may be inserted; it holds `cost_usd` of the day's budget until the real cost is known."""

    cost_usd: Decimal


Admission = Admitted | Replay | InFlight | Refused


def admit(view: LedgerView, intent: CallIntent, limits: Limits, pool: GroundingPool) -> Admission:
    """Whether one more request may go out. Counts include every open reservation, so it can't oversell."""
    if view.replay is not None:
        return Replay(view.replay)
    if view.claimed_until is not None:
        return InFlight(view.claimed_until)
    if view.blocked_until is not None and view.blocked_until > view.now:
        return Refused(Refusal.BLOCKED_BY_GOOGLE, view.blocked_until)
    if intent.grounded:
        if view.units_today + pool.reserve_units > limits.daily_grounding_cap:
            return Refused(Refusal.CAP_REACHED, next_reset(view.now, "day"))
        if pool.period == "month" and view.units_in_period + pool.reserve_units > pool.free_units:
            return Refused(Refusal.CAP_REACHED, next_reset(view.now, "month"))
    cost_usd = intent.max_cost_usd
    if intent.grounded:
        cost_usd += search_cost_usd(pool, view.units_in_period, pool.reserve_units)
    if view.spent_usd + cost_usd > limits.daily_spend_usd:
        return Refused(Refusal.SPEND_REACHED, next_reset(view.now, "day"))
    if view.requests_last_minute >= limits.requests_per_minute:
        return Refused(Refusal.RATE_LIMITED, view.minute_frees_at or view.now + timedelta(seconds=60))
    return Admitted(cost_usd)


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """The ledger's day for people: units of the configured model's pool, and USD of the whole project.

    `used` were sent, `reserved` hold a place; `remaining` is what the cap still allows. A request needs
    `units_per_request` of them.
    """

    model: str
    unit: str
    quota_day: date
    used: int
    reserved: int
    cap: int
    resets_at: datetime
    spent_usd: Decimal
    spend_limit_usd: Decimal
    blocked_until: datetime | None
    units_per_request: int = 1

    @property
    def remaining(self) -> int:
        """Units that may still be reserved in this period."""
        return max(self.cap - self.used - self.reserved, 0)

    @property
    def cap_reached(self) -> bool:
        """No further grounded request may go out before `resets_at`."""
        return self.remaining < self.units_per_request
