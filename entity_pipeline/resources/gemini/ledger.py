"""Reserve, send, settle: the only way to send a request to Gemini. The statements are in `ledger_sql.py`.

Admission holds one advisory transaction lock for the whole Google project, taken before anything is read:
READ COMMITTED gives the next statement a snapshot taken after the lock was won, so that no two processes ever
count the same free place. A server that defaults to a stricter level would oversell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg import ClientCursor, Connection

from entity_pipeline.core.gemini.batch import LOOK_AGAIN
from entity_pipeline.core.gemini.call import Call, CallKind, EventId, Step
from entity_pipeline.core.gemini.ledger import (
    STALE_AFTER_S,
    Admitted,
    InFlight,
    LedgerView,
    Refused,
    Replay,
    admit,
    billed_model,
)
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.quota import QuotaStatus, quota_status
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import ReplyFigures
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason
from entity_pipeline.resources.gemini.batch_sql import GIVE_BACK
from entity_pipeline.resources.gemini.ledger_sql import (
    BEGIN,
    COUNT_ANSWERED,
    COUNT_SENT,
    FAILED,
    FINISH,
    HELD,
    MARK_SENT,
    RELEASED,
    RESERVE_AND_COMMIT,
    SETTLE,
    STATUS,
    STORED_SUBJECTS,
    SWEEP,
    UNKNOWN,
    VIEW,
)
from entity_pipeline.resources.gemini.ledger_view import read_view, transaction, view_values


@dataclass(frozen=True, slots=True)
class Reserved:
    """A place under the cap: one row, to be marked sent before the request leaves.

    `model` is the one whose price and pool apply, and `settings` are those under which the place was given.
    """

    event_id: EventId
    quota_day: date
    units_before: int
    model: GeminiModel
    settings: GeminiSettings


class Ledger:
    """Reserve, send, settle. Raises `DatabaseUnavailable` when it can't count, and then nothing may be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self, call: Call, attempt: int, run_id: str, claim: str | None = None
    ) -> Reserved | Replay | InFlight | Refused:
        """Reserve a place under all limits for a request to a model of the registry.

        Returns the place, a reply that is already paid for, or the reason why there is no place.

        `claim` is unique to the request that is to be made: a caller that retries after losing the response (for
        example with the connection, after the commit) gets the place that it already holds.
        """
        asked, values = MODELS[call.request.model], _values(call, attempt, run_id, claim)
        with transaction(self._database) as connection:
            view = read_view(connection, BEGIN + VIEW, values)
            if view.claimed_until is not None and view.claimed_until <= view.now:
                connection.execute(SWEEP, [STALE_AFTER_S])
                view = read_view(connection, VIEW, values)
                if (
                    view.claimed_until is not None and view.claimed_until <= view.now
                ):  # by a request of a batch
                    view = replace(view, claimed_until=view.now + LOOK_AGAIN)
            decision = admit(view, call, asked)
            if isinstance(decision, InFlight):
                return _held(connection, values, view, asked) or decision
            if not isinstance(decision, Admitted):
                return decision
            billed = decision.model
            values |= {
                "read_at": view.now,
                "quota_day": view.quota_day,
                "billed_as": billed.name if billed is not asked else None,
                "cost_usd": decision.cost_usd,
            }
            row = ClientCursor(connection).execute(RESERVE_AND_COMMIT, values).fetchone()
            assert row is not None
            return Reserved(row[0], view.quota_day, view.units_in_period, billed, view.settings)

    def mark_sent(self, event_id: EventId, request: Mapping[str, Any]) -> bool:
        """From here on the request counts as used. False: the place was lost, so nothing may be sent.

        `request` is what is stored of it. Only the holder of the place may call this; it may repeat the call if the
        answer was lost.
        """
        values = [event_id, STALE_AFTER_S, jsonb_text(request)]
        with self._database.connection() as connection:
            return connection.execute(MARK_SENT, values).fetchone() == (True,)

    def settle(
        self, reserved: Reserved, body: Mapping[str, Any], figures: ReplyFigures, latency_ms: int
    ) -> None:
        """Store the reply and its cost. A late reply is fine: a swept row is settled too."""
        same_pool = figures.pool == reserved.model.pool
        # The use of a pool that was not read is unknown; it counts as zero as long as no other model answers.
        cost_usd = figures.cost_usd(reserved.units_before if same_pool else 0)
        values = settled_values(reserved.event_id, body, figures, cost_usd, latency_ms)
        with self._database.connection() as connection:
            connection.execute(SETTLE, values)

    def fail(
        self,
        event_id: EventId,
        error: Mapping[str, Any],
        latency_ms: int,
        blocked_until: datetime | None = None,
    ) -> None:
        """Record an error from Google: it counts against the cap and is free. It may block all later requests."""
        self._finish(
            event_id,
            FAILED,
            {"error": jsonb_text(error), "latency_ms": latency_ms, "blocked_until": blocked_until},
            from_states=("sent", "unknown"),
        )

    def mark_unknown(self, event_id: EventId, error: Mapping[str, Any], latency_ms: int) -> None:
        """Record that the request left and no answer came. It counts as used, and as paid at its estimated cost."""
        self._finish(
            event_id,
            UNKNOWN,
            {"error": jsonb_text(error), "latency_ms": latency_ms},
            from_states=("sent",),
        )

    def release(self, event_id: EventId, error: Mapping[str, Any]) -> None:
        """Free the place of a request that provably never left."""
        self._finish(
            event_id,
            RELEASED,
            {"error": jsonb_text(error)},
            from_states=("reserved", "sent"),
        )

    def sweep(self) -> int:
        """Close what a dead process left open; returns the number of rows. Run at the start of runs and ticks.

        A batch that was sent is not touched: `collect` ends it.
        """
        with self._database.connection() as connection:
            given_back = connection.execute(GIVE_BACK).rowcount
            return int(connection.execute(SWEEP, [STALE_AFTER_S]).rowcount + given_back)

    def status(self, model: GeminiModel, step: Step | None = None) -> QuotaStatus:
        """Today's figures for people and for planning; takes no lock."""
        with self._database.connection() as connection:
            return quota_status(read_view(connection, STATUS, view_values(model.name, step)), model, step)

    def count_answered(self, since: datetime) -> int:
        """Grounded requests that ended in a reply since an instant."""
        with self._database.connection() as connection:
            row = connection.execute(COUNT_ANSWERED, [since]).fetchone()
        return int(row[0]) if row else 0

    def stored_replies(
        self, step: Step, kind: CallKind, config_hash: str, subjects: Sequence[str]
    ) -> frozenset[str]:
        """The subjects whose reply is already paid for, so that it would be replayed."""
        values = [step.pipeline, step.name, list(subjects), str(kind), config_hash]
        with self._database.connection() as connection:
            rows = connection.execute(STORED_SUBJECTS, values).fetchall()
        return frozenset(row[0] for row in rows)

    def count_sent(self, since: datetime) -> tuple[int, int]:
        """Requests that left since an instant, and how many of them were grounded."""
        with self._database.connection() as connection:
            row = connection.execute(COUNT_SENT, [since]).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def _finish(
        self, event_id: EventId, changes: str, parameters: dict[str, Any], from_states: tuple[str, ...]
    ) -> None:
        with self._database.connection() as connection:
            connection.execute(
                FINISH.format(changes=changes),
                parameters | {"id": event_id, "from_states": list(from_states)},
            )


def settled_values(
    event_id: EventId,
    body: Mapping[str, Any],
    figures: ReplyFigures,
    cost_usd: Decimal,
    latency_ms: int | None,
) -> dict[str, Any]:
    """The parameters of SETTLE."""
    return {
        "id": event_id,
        "reply": jsonb_text(body),
        "model_version": figures.model_version,
        "billed_as": figures.billed_as,
        "search_queries": figures.search_queries,
        "prompt": figures.usage.prompt,
        "cached": figures.usage.cached,
        "output": figures.usage.output,
        "thoughts": figures.usage.thoughts,
        "tool": figures.usage.tool,
        "cost_usd": cost_usd,
        "latency_ms": latency_ms,
    }


def _values(call: Call, attempt: int, run_id: str, claim: str | None) -> dict[str, Any]:
    """The parameters of a reservation's statements."""
    return view_values(call.request.model, call.claim.step) | {
        "grounded": call.request.grounded,
        "kind": str(call.claim.kind),
        "subject": call.claim.subject,
        "input_hash": call.input_hash,
        "config_hash": call.config_hash,
        "consumed": call.consumed_event_id,
        "attempt": attempt,
        "run_id": run_id,
        "claim": claim,
    }


def _held(
    connection: Connection[Any], values: Mapping[str, Any], view: LedgerView, asked: GeminiModel
) -> Reserved | None:
    """The place that this very request already holds."""
    row = connection.execute(HELD, values).fetchone()
    if row is None:
        return None
    billed = billed_model(view, asked)
    model = asked if isinstance(billed, Reason) else billed
    return Reserved(row[0], row[1], view.units_in_period, model, view.settings)
