"""Reserve, send, settle: the only way to a request to Gemini. The statements are in `ledger_sql.py`.

Admission holds one advisory transaction lock for the whole Google project, taken before anything is read:
READ COMMITTED gives the next statement a snapshot taken after the lock was won, so that no two processes ever
count the same free place. A server that defaults to a stricter level would oversell.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from psycopg import ClientCursor, Connection
from psycopg.rows import dict_row

from entity_pipeline.core.gemini.ledger import (
    STALE_AFTER_S,
    Admitted,
    CallIntent,
    EventId,
    InFlight,
    LedgerView,
    Limits,
    QuotaStatus,
    Refused,
    Replay,
    StoredReply,
    admit,
)
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.usage import TokenUsage, search_cost_usd
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger_sql import (
    BEGIN,
    COUNT_ANSWERED,
    COUNT_SENT,
    FAILED,
    FINISH,
    HELD,
    MARK_SENT,
    RELEASED,
    REPLY,
    RESERVE_AND_COMMIT,
    SETTLE,
    STATUS,
    STORED_SUBJECTS,
    SWEEP,
    UNKNOWN,
    VIEW,
)


@dataclass(frozen=True, slots=True)
class Reserved:
    """A place under the cap: one row, to be marked sent before the request leaves."""

    event_id: EventId
    quota_day: date
    units_before: int


class Ledger:
    """Reserve, send, settle. Raises `DatabaseUnavailable` when it can't count: then nothing may be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self,
        intent: CallIntent,
        limits: Limits,
        model: GeminiModel,
        attempt: int,
        run_id: str,
        claim: str | None = None,
    ) -> Reserved | Replay | InFlight | Refused:
        """One place under all limits, an already paid reply, or the reason why not.

        `claim` is unique to the request that is to be made: who asks again because the answer was lost, for
        example with the connection after the commit, is given the place that it already holds.
        """
        parameters = _pool_parameters(model) | {
            "pipeline": intent.pipeline,
            "step": intent.step,
            "subject": intent.subject,
            "kind": intent.kind,
            "config_hash": intent.config_hash,
            "consumed": intent.consumed_event_id,
            "claim": claim,
        }
        with self._transaction() as connection:
            view = _read_view(connection, BEGIN + VIEW, parameters)
            if view.claimed_until is not None and view.claimed_until <= view.now:
                connection.execute(SWEEP, [STALE_AFTER_S])
                view = _read_view(connection, VIEW, parameters)
            decision = admit(view, intent, limits, model.pool)
            if isinstance(decision, InFlight):
                held = connection.execute(HELD, parameters).fetchone()
                return decision if held is None else Reserved(held[0], held[1], view.units_in_period)
            if not isinstance(decision, Admitted):
                return decision
            row = (
                ClientCursor(connection)
                .execute(
                    RESERVE_AND_COMMIT,
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
                        "claim": claim,
                    },
                )
                .fetchone()
            )
            assert row is not None
            return Reserved(row[0], view.quota_day, view.units_in_period)

    def mark_sent(self, event_id: EventId) -> bool:
        """From here on the request counts as used. False: the place was lost, so nothing may be sent.

        For the holder of the place alone, who may ask again when the answer was lost.
        """
        with self._database.connection() as connection:
            return connection.execute(MARK_SENT, [event_id, STALE_AFTER_S]).fetchone() == (True,)

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
        parameters = {
            "id": reserved.event_id,
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
        }
        with self._database.connection() as connection:
            connection.execute(SETTLE, parameters)

    def fail(
        self,
        event_id: EventId,
        error: Mapping[str, Any],
        latency_ms: int,
        blocked_until: datetime | None = None,
    ) -> None:
        """Google answered with an error: used under the cap, free of charge. May hold all later requests."""
        self._finish(
            event_id,
            FAILED,
            {"error": jsonb_text(error), "latency_ms": latency_ms, "blocked_until": blocked_until},
            from_states=("sent", "unknown"),
        )

    def mark_unknown(self, event_id: EventId, error: Mapping[str, Any], latency_ms: int) -> None:
        """It left and no answer came: counted as used and as paid at its estimated cost."""
        self._finish(
            event_id,
            UNKNOWN,
            {"error": jsonb_text(error), "latency_ms": latency_ms},
            from_states=("sent",),
        )

    def release(self, event_id: EventId, error: Mapping[str, Any]) -> None:
        """It provably never left: the place is free again."""
        self._finish(
            event_id,
            RELEASED,
            {"error": jsonb_text(error)},
            from_states=("reserved", "sent"),
        )

    def sweep(self) -> int:
        """Close what a dead process left open; returns the number of rows. Run at the start of runs and ticks."""
        with self._database.connection() as connection:
            return int(connection.execute(SWEEP, [STALE_AFTER_S]).rowcount)

    def status(self, limits: Limits, model: GeminiModel) -> QuotaStatus:
        """Today's figures for people and for planning; takes no lock."""
        with self._database.connection() as connection:
            row = connection.cursor(row_factory=dict_row).execute(STATUS, _pool_parameters(model)).fetchone()
        return quota_status(row, limits, model)

    def count_answered(self, since: datetime) -> int:
        """Grounded requests that ended in a reply since an instant."""
        with self._database.connection() as connection:
            row = connection.execute(COUNT_ANSWERED, [since]).fetchone()
        return int(row[0]) if row else 0

    def stored_replies(
        self, pipeline: str, step: str, config_hash: str, subjects: Sequence[str]
    ) -> frozenset[str]:
        """Those of the subjects whose review is paid for: it would be replayed and not asked for."""
        with self._database.connection() as connection:
            rows = connection.execute(
                STORED_SUBJECTS, [pipeline, step, list(subjects), config_hash]
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def count_sent(self, since: datetime) -> tuple[int, int]:
        """Requests that left since an instant, and how many of them were grounded."""
        with self._database.connection() as connection:
            row = connection.execute(COUNT_SENT, [since]).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    @contextmanager
    def _transaction(self) -> Iterator[Connection[Any]]:
        """A connection whose transaction the block's own statements begin, and may end."""
        with self._database.connection() as connection:
            try:
                yield connection
                connection.commit()
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise

    def _finish(
        self, event_id: EventId, changes: str, parameters: dict[str, Any], from_states: tuple[str, ...]
    ) -> None:
        with self._database.connection() as connection:
            connection.execute(
                FINISH.format(changes=changes),
                parameters | {"id": event_id, "from_states": list(from_states)},
            )


def quota_status(row: Mapping[str, Any], limits: Limits, model: GeminiModel) -> QuotaStatus:
    """Figures of the period as a value; a monthly pool also closes the day when the month is used up."""
    pool, today = model.pool, row["units_today"]
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
        used=today - row["reserved_today"],
        reserved=row["reserved_today"],
        cap=cap,
        resets_at=next_reset(row["read_at"], period),
        spent_usd=row["spent_usd"],
        spend_limit_usd=limits.daily_spend_usd,
        blocked_until=row["held_until"],
        units_per_request=pool.reserve_units,
    )


def _pool_parameters(model: GeminiModel) -> dict[str, Any]:
    return {
        "units_of_request": 1 if model.pool.unit == "prompt" else None,
        "reserve_units": model.pool.reserve_units,
        "by_month": model.pool.period == "month",
        "models_of_other_pools": [name for name, other in MODELS.items() if other.pool != model.pool],
    }


def _read_view(connection: Connection[Any], statements: str, parameters: Mapping[str, Any]) -> LedgerView:
    """Run the statements, the last of which is VIEW, in one round trip: the lock is held for shorter."""
    cursor = ClientCursor(connection, row_factory=dict_row)
    row = cursor.execute(statements, parameters).set_result(-1).fetchone()
    assert row is not None
    replay = None
    if row["unused_reply"] is not None:
        stored = connection.execute(REPLY, [row["unused_reply"]]).fetchone()
        replay = StoredReply(*stored) if stored is not None else None
    return LedgerView(
        now=row["read_at"],
        quota_day=row["today"],
        units_in_period=row["units_in_period"],
        units_today=row["units_today"],
        spent_usd=row["spent_usd"],
        requests_last_minute=row["requests_last_minute"],
        minute_frees_at=_later(row["minute_began_at"], 60),
        blocked_until=row["held_until"],
        claimed_until=_later(row["claimed_at"], STALE_AFTER_S),
        replay=replay,
    )


def _later(instant: datetime | None, seconds: int) -> datetime | None:
    return instant + timedelta(seconds=seconds) if instant is not None else None
