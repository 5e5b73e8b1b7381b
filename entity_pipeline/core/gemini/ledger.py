"""The vocabulary and the admission rule of the Gemini ledger; its SQL is in `resources/gemini/ledger_sql.py`.

A request is a row of `gemini_usage_events` that goes reserved -> sent -> settled | failed | unknown, or
reserved -> released when it provably never left. Everything but a released row counts against the cap. The limits are
those of the row `gemini`, read in the same statement as the figures: a caller can't bring its own.

The figures for people do not belong here: see `core/gemini/quota.py`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.models import GeminiModel, answering_model, find_model
from entity_pipeline.core.gemini.outcomes import StoredReply, Unanswered
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import most_token_cost_usd, search_cost_usd
from entity_pipeline.core.reasons import Reason

CALL_LIMIT_S = 60
STALE_AFTER_S = CALL_LIMIT_S + 30
ATTEMPTS_PER_CALL = 3


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the database holds at the moment of admission, read under the ledger's lock.

    `settings` are the stored ones of the row `gemini`; `closed` says why nothing may be asked under them. Units are
    those of the pool of `billed_as`, the model that was last billed in place of the asked one, or of the asked model
    where that is None. `month_spent_usd` is None unless the row limits the month; `domain_spent_usd` is what the
    asking domain's pipeline spent today.
    """

    now: datetime
    quota_day: date
    settings: GeminiSettings
    closed: Reason | None
    billed_as: str | None
    units_in_period: int
    units_today: int
    reserved_today: int
    spent_usd: Decimal
    month_spent_usd: Decimal | None
    domain_spent_usd: Decimal
    requests_last_minute: int
    minute_frees_at: datetime | None
    blocked_until: datetime | None
    claimed_until: datetime | None = None
    replay: StoredReply | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """Already paid for: use this reply."""

    reply: StoredReply


@dataclass(frozen=True, slots=True)
class InFlight:
    """Another worker holds the claim on the subject until `until` at the latest."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """No request may go out; `retry_at` is None where only a person can change that."""

    why: Unanswered
    reason: Reason
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A row may be inserted.

    It holds `cost_usd` of the day's budget until the real cost is known, and is billed as `model`.
    """

    cost_usd: Decimal
    model: GeminiModel


Admission = Admitted | Replay | InFlight | Refused


def admit(view: LedgerView, call: Call, asked: GeminiModel, *, in_batch: bool = False) -> Admission:
    """Whether one more request may go out. Counts include every open reservation, so it can't oversell."""
    if (stored := _stored(view, call, asked)) is not None:
        return stored
    if view.closed is not None:
        return Refused(Unanswered.CLOSED, view.closed)
    billed = billed_model(view, asked)
    if isinstance(billed, Reason):
        return Refused(Unanswered.MODEL_REPLACED, billed)
    if view.claimed_until is not None:
        return InFlight(view.claimed_until)
    if view.blocked_until is not None and view.blocked_until > view.now:
        return Refused(
            Unanswered.BLOCKED_BY_GOOGLE,
            because("blocked_by_google", at=view.blocked_until),
            view.blocked_until,
        )
    if call.request.grounded and (full := _used_up(view, billed)) is not None:
        return full
    cost_usd = most_token_cost_usd(billed, call.request, view.quota_day, in_batch=in_batch)
    if call.request.grounded:
        cost_usd += search_cost_usd(billed.pool, view.units_in_period, billed.pool.reserve_units)
    if (spent := _spent(view, call, cost_usd)) is not None:
        return spent
    if view.requests_last_minute >= view.settings.requests_per_minute:
        frees_at = view.minute_frees_at or view.now + timedelta(seconds=60)
        return Refused(Unanswered.RATE_LIMITED, because("time_is_up"), frees_at)
    return Admitted(cost_usd, billed)


def billed_model(view: LedgerView, asked: GeminiModel) -> GeminiModel | Reason:
    """The model whose price and pool apply to a request to `asked`, or why no request may be made.

    Another model that answered is billed from then on, if the row `gemini` accepts it and the registry knows it.
    """
    if view.billed_as is None:
        return asked
    if view.billed_as not in view.settings.accept_models:
        return replaced_reason(asked.name, view.billed_as)
    known = find_model(view.billed_as)
    return known or because("accepted_model_unknown", model=view.billed_as)


def replaced_reason(asked: str, answered: str) -> Reason:
    """Why requests stop once another model has answered."""
    return because("model_replaced", asked=asked, answered=answered)


def _stored(view: LedgerView, call: Call, asked: GeminiModel) -> Admission | None:
    """The decision that a paid reply leads to; None if there is none and a request may be made."""
    if view.replay is None:
        return Refused(Unanswered.NOT_STORED, because("not_stored")) if call.only_replay else None
    other = answering_model(asked.name, view.replay.model_version)
    if other is None or other in view.settings.accept_models:
        return Replay(view.replay)
    return Refused(Unanswered.MODEL_REPLACED, replaced_reason(asked.name, other))


def _used_up(view: LedgerView, billed: GeminiModel) -> Refused | None:
    pool, cap, day = billed.pool, view.settings.daily_grounding_cap, view.quota_day
    if view.units_today + pool.reserve_units > cap:
        at = next_reset(view.now, "day")
        return Refused(
            Unanswered.CAP_REACHED, because(f"cap_is_reached_{pool.unit}", cap=cap, day=day, at=at), at
        )
    if not view.settings.paid_grounding and view.units_in_period + pool.reserve_units > pool.free_units:
        at, free = next_reset(view.now, pool.period), pool.free_units
        return Refused(
            Unanswered.CAP_REACHED, because(f"free_units_are_used_{pool.unit}", free=free, day=day, at=at), at
        )
    return None


def _spent(view: LedgerView, call: Call, cost_usd: Decimal) -> Refused | None:
    settings, domain, day = view.settings, call.claim.step.domain, view.quota_day
    if view.spent_usd + cost_usd > usd(settings.daily_spend_usd):
        at, limit = next_reset(view.now, "day"), settings.daily_spend_usd
        return Refused(Unanswered.SPEND_REACHED, because("day_is_spent", limit=limit, day=day, at=at), at)
    month = settings.monthly_spend_usd
    if month is not None and (view.month_spent_usd or Decimal(0)) + cost_usd > usd(month):
        at = next_reset(view.now, "month")
        return Refused(Unanswered.SPEND_REACHED, because("month_is_spent", limit=month, at=at), at)
    share = settings.shares.get(domain)
    if share is not None and view.domain_spent_usd + cost_usd > usd(share):
        at = next_reset(view.now, "day")
        reason = because("share_is_spent", domain=domain, limit=share, day=day, at=at)
        return Refused(Unanswered.SPEND_REACHED, reason, at)
    return None


def usd(setting: float) -> Decimal:
    """An amount as a person wrote it."""
    return Decimal(str(setting))
