"""A ledger in memory that answers as it is told to, with the real one's rules for changes of state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from entity_pipeline.core.gemini.ledger import CallIntent, EventId, InFlight, Limits, Refused, Replay
from entity_pipeline.core.gemini.models import GeminiModel
from entity_pipeline.core.gemini.usage import TokenUsage
from entity_pipeline.resources.gemini.ledger import Reserved

DAY = date(2026, 11, 20)


@dataclass
class Row:
    """One attempt, with the columns that callers decide about."""

    intent: CallIntent
    attempt: int
    run_id: str
    event_id: EventId = field(default_factory=lambda: str(uuid4()))
    state: str = "reserved"
    error: Mapping[str, Any] | None = None
    blocked_until: datetime | None = None
    settled: Mapping[str, Any] = field(default_factory=dict)


class FakeLedger:
    """Gives a place to everybody, unless it is told otherwise.

    Args:
        answers: what `reserve` returns or raises, one a call; None is a place, and so is every further call.
        marks: what `mark_sent` returns or raises, one a call; True afterwards. Only True changes the row.
        writes: what recording the outcome of a sent request raises, one a call; None, and all further, succeed.
    """

    def __init__(
        self,
        *answers: Replay | InFlight | Refused | Exception | None,
        marks: Sequence[bool | Exception] = (),
        writes: Sequence[Exception | None] = (),
    ) -> None:
        self._answers = list(answers)
        self._marks = list(marks)
        self._writes = list(writes)
        self._rows: list[Row] = []

    @property
    def rows(self) -> Sequence[Row]:
        """Every row there ever was, oldest first."""
        return tuple(self._rows)

    @property
    def states(self) -> list[str]:
        """The state of every row, oldest first."""
        return [row.state for row in self._rows]

    def reserve(
        self,
        intent: CallIntent,
        limits: Limits,
        model: GeminiModel,
        attempt: int,
        run_id: str,
        claim: str | None = None,
    ) -> Reserved | Replay | InFlight | Refused:
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        row = Row(intent, attempt, run_id)
        self._rows.append(row)
        return Reserved(row.event_id, DAY, 0)

    def mark_sent(self, event_id: EventId) -> bool:
        marked = self._marks.pop(0) if self._marks else True
        if isinstance(marked, Exception):
            raise marked
        return marked and self._change(event_id, ("reserved",), state="sent")

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
        kept = {
            "body": body,
            "model_version": model_version,
            "usage": usage,
            "search_queries": search_queries,
            "token_cost_usd": token_cost_usd,
            "grounded": grounded,
            "latency_ms": latency_ms,
        }
        self._write(reserved.event_id, ("sent", "unknown"), state="settled", settled=kept, error=None)

    def fail(
        self,
        event_id: EventId,
        error: Mapping[str, Any],
        latency_ms: int,
        blocked_until: datetime | None = None,
    ) -> None:
        self._write(event_id, ("sent", "unknown"), state="failed", error=error, blocked_until=blocked_until)

    def mark_unknown(self, event_id: EventId, error: Mapping[str, Any], latency_ms: int) -> None:
        self._write(event_id, ("sent",), state="unknown", error=error)

    def release(self, event_id: EventId, error: Mapping[str, Any]) -> None:
        self._write(event_id, ("reserved", "sent"), state="released", error=error)

    def _write(self, event_id: EventId, from_states: tuple[str, ...], **changes: Any) -> None:
        trouble = self._writes.pop(0) if self._writes else None
        if trouble is not None:
            raise trouble
        self._change(event_id, from_states, **changes)

    def _change(self, event_id: EventId, from_states: tuple[str, ...], **changes: Any) -> bool:
        row = next(row for row in self._rows if row.event_id == event_id)
        if row.state not in from_states:
            return False
        for name, value in changes.items():
            setattr(row, name, value)
        return True
