"""A ledger in memory that answers as configured, with the real one's rules for changes of state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from entity_pipeline.core.gemini.call import Call, EventId
from entity_pipeline.core.gemini.ledger import InFlight, Refused, Replay
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import ReplyFigures
from entity_pipeline.resources.gemini.ledger import Reserved

DAY = date(2026, 11, 20)


@dataclass
class Row:
    """One attempt, with the columns that callers decide about."""

    call: Call
    attempt: int
    run_id: str
    event_id: EventId = field(default_factory=lambda: str(uuid4()))
    state: str = "reserved"
    error: Mapping[str, Any] | None = None
    blocked_until: datetime | None = None
    request: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    figures: ReplyFigures | None = None
    latency_ms: int | None = None


class FakeLedger:
    """Gives every caller a place, unless configured otherwise.

    Args:
        answers: what `reserve` returns or raises, one per call; None is a place, and so is every further call.
        marks: what `mark_sent` returns or raises, one per call; True afterwards. Only True changes the row.
        writes: what recording the outcome of a sent request raises, one per call; None, and all further, succeed.
        settings: the stored ones of the row `gemini`, which a place carries.
        billed: the model whose price and pool hold; the one that is asked when it is None.
    """

    def __init__(
        self,
        *answers: Replay | InFlight | Refused | Exception | None,
        marks: Sequence[bool | Exception] = (),
        writes: Sequence[Exception | None] = (),
        settings: GeminiSettings | None = None,
        billed: GeminiModel | None = None,
    ) -> None:
        self._settings = settings or GeminiSettings()
        self._billed = billed
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
        self, call: Call, attempt: int, run_id: str, claim: str | None = None
    ) -> Reserved | Replay | InFlight | Refused:
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        row = Row(call, attempt, run_id)
        self._rows.append(row)
        return Reserved(row.event_id, DAY, 0, self._billed or MODELS[call.request.model], self._settings)

    def mark_sent(self, event_id: EventId, request: Mapping[str, Any]) -> bool:
        marked = self._marks.pop(0) if self._marks else True
        if isinstance(marked, Exception):
            raise marked
        return marked and self._change(event_id, ("reserved",), state="sent", request=request)

    def settle(
        self, reserved: Reserved, body: Mapping[str, Any], figures: ReplyFigures, latency_ms: int
    ) -> None:
        kept = {"body": body, "figures": figures, "latency_ms": latency_ms}
        self._write(reserved.event_id, ("sent", "unknown"), state="settled", error=None, **kept)

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
