"""The outcome of an operation: a `Result` when a request was sent, `Deferred` when none was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.reasons import Reason

R = TypeVar("R")

_REFUSALS = frozenset(
    {
        SeatOutcome.WALL,
        SeatOutcome.LIMITED,
        SeatOutcome.CHALLENGED,
        SeatOutcome.LOGGED_OUT,
        SeatOutcome.SUSPENDED,
    }
)


@dataclass(frozen=True)
class Result(Generic[R]):
    """One attempt.

    Attributes:
        value: Set only when `finding` is FOUND.
        seat: What the seat learned. It can be a refusal even when the target was found, if a later request was refused.
        detail: A sentence or a word without secrets.
        source: Names the seat for people (``"anonymous:direct"``); `account` is its account of the pool.
        canary: For NOT_FOUND, whether the same seat then found a target that exists; None when none could be asked.
    """

    finding: Finding
    value: R | None = None
    seat: SeatOutcome = SeatOutcome.OK
    detail: str = ""
    source: str = ""
    account: str | None = None
    canary: bool | None = None

    @property
    def word(self) -> str:
        """The outcome in one word: what is known of the target, or why the seat got no answer."""
        return str(self.seat if self.finding is Finding.UNANSWERED else self.finding)

    @property
    def is_refused(self) -> bool:
        """Whether the seat was refused and got nothing; another one may get through."""
        return self.finding is Finding.UNANSWERED and self.seat in _REFUSALS


@dataclass(frozen=True, slots=True)
class Deferred:
    """Nothing was sent. `next_at` (UTC) is set when trying sooner is useless."""

    reason: Reason
    next_at: datetime | None = None
