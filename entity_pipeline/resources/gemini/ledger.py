"""Every statement that touches `gemini_usage_events`; an installation whose columns differ changes this file.

Admission holds one advisory transaction lock for the whole Google project. It must be the first statement of
its transaction: READ COMMITTED gives the next statement a snapshot taken after the lock was won, so that no
two processes ever count the same free place. A server that defaults to a stricter level would oversell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from entity_pipeline.core.gemini_models import MODELS, GeminiModel
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.ledger import (
    STALE_AFTER_S,
    Admitted,
    CallIntent,
    InFlight,
    LedgerView,
    Limits,
    QuotaStatus,
    Refused,
    Replay,
    StoredReply,
    admit,
)
from entity_pipeline.core.ports import Database
from entity_pipeline.core.quota import next_reset
from entity_pipeline.core.usage import TokenUsage, search_cost_usd

_LOCK = (
    "set transaction isolation level read committed; "
    "select pg_advisory_xact_lock(hashtextextended('entity_pipeline.gemini_ledger', 0))"
)

# Rows of other code may lack quota_day: their day is that of created_at. An event without a model, or with one
# that the registry does not know, counts in every pool.
_DAY = "coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)"
_UNITS = "case when %(unit)s = 'prompt' then 1 else coalesce(search_queries, %(reserve_units)s) end"
_IN_POOL = "(model = any(%(pool_models)s) or (model = any(%(known_models)s)) is not true)"

_CLOCK = (
    """
clock as (
  select clock_timestamp() as now, (clock_timestamp() at time zone 'America/Los_Angeles')::date as today
), pool_events as (
  select state, """
    + _DAY
    + """ as day, """
    + _UNITS
    + """ as units
  from gemini_usage_events
  where grounded and state <> 'released' and """
    + _IN_POOL
    + """
    and """
    + _DAY
    + """ >= (select case when %(period)s = 'month' then date_trunc('month', today)::date
                                          else today end from clock)
)
"""
)
_SPENT = (
    """
(select coalesce(sum(cost_usd), 0) from gemini_usage_events
  where state <> 'released' and created_at > (select now from clock) - interval '26 hours'
    and """
    + _DAY
    + """ = (select today from clock))
"""
)
_BLOCKED = (
    """
(select max(blocked_until) from gemini_usage_events
  where blocked_until > (select now from clock) and """
    + _IN_POOL
    + """)
"""
)

_VIEW = (
    "with "
    + _CLOCK
    + """, minute as (
  select count(*) as requests, min(created_at) + interval '60 seconds' as frees_at
  from gemini_usage_events
  where state <> 'released' and created_at > (select now from clock) - interval '60 seconds'
)
select clock.now, clock.today,
  (select coalesce(sum(units), 0) from pool_events) as units_in_period,
  (select coalesce(sum(units), 0) from pool_events where day = clock.today) as units_today,
  """
    + _SPENT
    + """ as spent_usd,
  minute.requests, minute.frees_at,
  """
    + _BLOCKED
    + """ as blocked_until,
  (select max(state_changed_at) + %(stale_after)s * interval '1 second' from gemini_usage_events
    where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s
      and state in ('reserved', 'sent')) as claimed_until
from clock, minute
"""
)

_REPLAY = """
select id, reply, model_version, input_hash from gemini_usage_events
where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s and state = 'settled'
  and reply is not null and metadata->>'kind' = %(kind)s and metadata->>'config_hash' = %(config_hash)s
  and (%(consumed)s::uuid is null
       or created_at > (select created_at from gemini_usage_events where id = %(consumed)s))
order by created_at desc limit 1
"""

_INSERT = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, quota_day,
  subject, input_hash, attempt, cost_usd, metadata)
values (%(now)s, %(now)s, %(pipeline)s, %(step)s, %(model)s, %(grounded)s, 'reserved', %(quota_day)s,
  %(subject)s, %(input_hash)s, %(attempt)s, %(cost_usd)s,
  jsonb_build_object('kind', %(kind)s::text, 'config_hash', %(config_hash)s::text, 'run_id', %(run_id)s::text))
returning id
"""

# A reservation of yesterday is worth nothing today: it is given back, and asked for again.
_MARK_SENT = """
update gemini_usage_events set state = 'sent', state_changed_at = clock_timestamp()
where id = %s and state = 'reserved'
  and quota_day = (clock_timestamp() at time zone 'America/Los_Angeles')::date
  and state_changed_at > clock_timestamp() - %s * interval '1 second'
"""

_SWEEP = """
update gemini_usage_events
set state = case state when 'sent' then 'unknown' else 'released' end,
    cost_usd = case state when 'sent' then cost_usd else 0 end,
    state_changed_at = clock_timestamp(),
    error = jsonb_build_object('kind', 'stale', 'message',
      case state when 'sent' then 'no answer was recorded; counted as used' else 'never sent' end)
where state in ('reserved', 'sent') and state_changed_at < clock_timestamp() - %s * interval '1 second'
"""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A place under the cap: one row, to be marked sent before the request leaves."""

    event_id: UUID
    quota_day: date
    units_before: int


class Ledger:
    """Reserve, send, settle. Raises `DatabaseUnavailable` when it can't count: then nothing may be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self, intent: CallIntent, limits: Limits, model: GeminiModel, attempt: int, run_id: str
    ) -> Reserved | Replay | InFlight | Refused:
        """One place under all limits, an already paid reply, or the reason why not."""
        parameters = _pool_parameters(model) | {
            "stale_after": STALE_AFTER_S,
            "pipeline": intent.pipeline,
            "step": intent.step,
            "subject": intent.subject,
            "kind": intent.kind,
            "config_hash": intent.config_hash,
            "consumed": intent.consumed_event_id,
        }
        with self._database.connection() as connection, connection.transaction():
            connection.execute(_LOCK)
            view = _read_view(connection, parameters)
            if view.claimed_until is not None and view.claimed_until <= view.now:
                connection.execute(_SWEEP, [STALE_AFTER_S])
                view = _read_view(connection, parameters)
            decision = admit(view, intent, limits, model.pool)
            if not isinstance(decision, Admitted):
                return decision
            row = connection.execute(
                _INSERT,
                {
                    "now": view.now,
                    "pipeline": intent.pipeline,
                    "step": intent.step,
                    "kind": intent.kind,
                    "subject": intent.subject,
                    "model": intent.model,
                    "grounded": intent.grounded,
                    "quota_day": view.quota_day,
                    "input_hash": intent.input_hash,
                    "config_hash": intent.config_hash,
                    "attempt": attempt,
                    "cost_usd": decision.cost_usd,
                    "run_id": run_id,
                },
            ).fetchone()
            return Reserved(row[0], view.quota_day, view.units_in_period)

    def mark_sent(self, event_id: UUID) -> bool:
        """From here on the request counts as used. False: the place was lost, so nothing may be sent."""
        with self._database.connection() as connection:
            return bool(connection.execute(_MARK_SENT, [event_id, STALE_AFTER_S]).rowcount)

    def settle(
        self,
        reserved: Reserved,
        model: GeminiModel,
        *,
        body: Mapping[str, Any],
        model_version: str | None,
        usage: TokenUsage,
        search_queries: int,
        token_cost_usd: Decimal,
        grounded: bool,
        latency_ms: int,
    ) -> None:
        """Keep the reply and what it cost. Late is fine: a swept row is settled all the same."""
        units = 0 if not grounded else 1 if model.pool.unit == "prompt" else search_queries
        cost = token_cost_usd + search_cost_usd(model.pool, reserved.units_before, units)
        self._finish(
            reserved.event_id,
            """state = 'settled', reply = %(reply)s::jsonb, error = null, model_version = %(model_version)s,
               search_queries = %(search_queries)s, prompt_tokens = %(prompt)s, cached_tokens = %(cached)s,
               output_tokens = %(output)s, thoughts_tokens = %(thoughts)s, tool_tokens = %(tool)s,
               cost_usd = %(cost_usd)s, latency_ms = %(latency_ms)s""",
            {
                "reply": jsonb_text(body),
                "model_version": model_version,
                "search_queries": search_queries,
                "prompt": usage.prompt,
                "cached": usage.cached,
                "output": usage.output,
                "thoughts": usage.thoughts,
                "tool": usage.tool,
                "cost_usd": cost,
                "latency_ms": latency_ms,
            },
            from_states=("sent", "unknown"),
        )

    def fail(
        self, event_id: UUID, error: Mapping[str, Any], latency_ms: int, blocked_until: datetime | None = None
    ) -> None:
        """Google answered with an error: used under the cap, free of charge. May hold all later requests."""
        self._finish(
            event_id,
            "state = 'failed', error = %(error)s::jsonb, cost_usd = 0, latency_ms = %(latency_ms)s, "
            "blocked_until = %(blocked_until)s",
            {"error": jsonb_text(error), "latency_ms": latency_ms, "blocked_until": blocked_until},
            from_states=("sent", "unknown"),
        )

    def mark_unknown(self, event_id: UUID, error: Mapping[str, Any], latency_ms: int) -> None:
        """It left and no answer came: counted as used and as paid at its estimated cost."""
        self._finish(
            event_id,
            "state = 'unknown', error = %(error)s::jsonb, latency_ms = %(latency_ms)s",
            {"error": jsonb_text(error), "latency_ms": latency_ms},
            from_states=("sent",),
        )

    def release(self, event_id: UUID, error: Mapping[str, Any]) -> None:
        """It provably never left: the place is free again."""
        self._finish(
            event_id,
            "state = 'released', error = %(error)s::jsonb, cost_usd = 0",
            {"error": jsonb_text(error)},
            from_states=("reserved", "sent"),
        )

    def sweep(self) -> int:
        """Close what a dead process left open; returns the number of rows. Run at the start of runs and ticks."""
        with self._database.connection() as connection:
            return int(connection.execute(_SWEEP, [STALE_AFTER_S]).rowcount)

    def status(self, limits: Limits, model: GeminiModel) -> QuotaStatus:
        """Today's figures for people and for planning; takes no lock."""
        query = (
            "with "
            + _CLOCK
            + """
            select clock.now, clock.today,
              (select coalesce(sum(units), 0) from pool_events
                where day = clock.today and state not in ('reserved')) as used_today,
              (select coalesce(sum(units), 0) from pool_events
                where day = clock.today and state = 'reserved') as reserved_today,
              (select coalesce(sum(units), 0) from pool_events) as units_in_period,
              """
            + _SPENT
            + """ as spent_usd, """
            + _BLOCKED
            + """ as blocked_until
            from clock"""
        )
        with self._database.connection() as connection:
            row = connection.cursor(row_factory=dict_row).execute(query, _pool_parameters(model)).fetchone()
        return quota_status(row, limits, model)

    def count_answered(self, since: datetime) -> int:
        """Grounded requests that ended in a reply since an instant."""
        query = "select count(*) from gemini_usage_events where created_at >= %s and grounded and state = 'settled'"
        with self._database.connection() as connection:
            row = connection.execute(query, [since]).fetchone()
        return int(row[0]) if row else 0

    def count_sent(self, since: datetime) -> tuple[int, int]:
        """Requests that left since an instant, and how many of them were grounded."""
        query = """
            select count(*), count(*) filter (where grounded) from gemini_usage_events
            where created_at >= %s and state not in ('reserved', 'released')
        """
        with self._database.connection() as connection:
            row = connection.execute(query, [since]).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def _finish(
        self, event_id: UUID, changes: str, parameters: dict[str, Any], from_states: tuple[str, ...]
    ) -> None:
        with self._database.connection() as connection:
            connection.execute(
                f"update gemini_usage_events set {changes}, state_changed_at = clock_timestamp() "
                "where id = %(id)s and state = any(%(from_states)s)",
                parameters | {"id": event_id, "from_states": list(from_states)},
            )


def quota_status(row: Mapping[str, Any], limits: Limits, model: GeminiModel) -> QuotaStatus:
    """Figures of the period as a value; a monthly pool also closes the day when the month is used up."""
    pool, now = model.pool, row["now"]
    today = row["used_today"] + row["reserved_today"]
    cap = limits.daily_grounding_cap
    period: Literal["day", "month"] = "day"
    if pool.period == "month":
        month_left = pool.free_units - (row["units_in_period"] - today)
        if month_left < cap:
            cap, period = max(month_left, 0), "month"
    return QuotaStatus(
        model=model.name,
        unit=pool.unit,
        quota_day=row["today"],
        used=row["used_today"],
        reserved=row["reserved_today"],
        cap=cap,
        resets_at=next_reset(now, period),
        spent_usd=row["spent_usd"],
        spend_limit_usd=limits.daily_spend_usd,
        blocked_until=row["blocked_until"],
        units_per_request=pool.reserve_units,
    )


def _pool_parameters(model: GeminiModel) -> dict[str, Any]:
    return {
        "unit": model.pool.unit,
        "period": model.pool.period,
        "reserve_units": model.pool.reserve_units,
        "pool_models": [name for name, other in MODELS.items() if other.pool == model.pool],
        "known_models": list(MODELS),
    }


def _read_view(connection: Connection, parameters: Mapping[str, Any]) -> LedgerView:
    cursor = connection.cursor(row_factory=dict_row)
    row = cursor.execute(_VIEW, parameters).fetchone()
    stored = cursor.execute(_REPLAY, parameters).fetchone()
    assert row is not None
    return LedgerView(
        now=row["now"],
        quota_day=row["today"],
        units_in_period=row["units_in_period"],
        units_today=row["units_today"],
        spent_usd=row["spent_usd"],
        requests_last_minute=row["requests"],
        minute_frees_at=row["frees_at"],
        blocked_until=row["blocked_until"],
        claimed_until=row["claimed_until"],
        replay=StoredReply(stored["id"], stored["reply"], stored["model_version"], stored["input_hash"])
        if stored is not None
        else None,
    )
