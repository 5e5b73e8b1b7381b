"""Gemini behind the port `core.gemini.GeminiAccess`, with outcomes by account and no ledger."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event, Lock
from typing import Any
from uuid import UUID, uuid5

from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.call import Call, Step
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply
from entity_pipeline.core.gemini.quota import Budget, QuotaStatus
from entity_pipeline.core.gemini.request import Request
from entity_pipeline.core.gemini.usage import SpendDay

_EVENTS = UUID("00000000-0000-4000-8000-0000000000e7")

# A raw body is answered with; an exception is raised; a function decides when it is asked.
Outcome = Mapping[str, Any] | NotAnswered | Exception | Callable[[Call], "Outcome"]


@dataclass(frozen=True)
class Replayed:
    """A body that was paid for before."""

    body: Mapping[str, Any]


def event_id(subject: str, number: int) -> str:
    """The ledger's id of the account's `number`-th answer, counted from 1."""
    return str(uuid5(_EVENTS, f"{subject} {number}"))


class FakeGemini:
    """`outcomes` are used up in order, an account each; one question too many is an error of the test.

    `asked` holds the calls and `prompts` their requests, in order.
    """

    def __init__(
        self,
        outcomes: Mapping[str, Sequence[Outcome | Replayed]] | None = None,
        *,
        model: str = "gemini-2.5-flash",
        cap: int = 100,
        used: int = 0,
        blocked_until: datetime | None = None,
        replies: RecentReplies | None = None,
        share_is_spent: bool = False,
    ) -> None:
        self._left = {subject: list(sequence) for subject, sequence in (outcomes or {}).items()}
        self._model = model
        self._cap = cap
        self._used = used
        self._blocked_until = blocked_until
        self._share_is_spent = share_is_spent
        self._replies = replies or RecentReplies(0, 0, ())
        self._answers: dict[str, int] = {}
        self._lock = Lock()
        self.asked: list[Call] = []
        self.sweeps = 0

    @property
    def model(self) -> str:
        return self._model

    @property
    def prompts(self) -> list[Request]:
        return [call.request for call in self.asked]

    def ask(self, call: Call, *, run_id: str, stop: Event, deadline: datetime) -> Answered | NotAnswered:
        subject = call.claim.subject
        with self._lock:
            self.asked.append(call)
            left = self._left.get(subject)
            if not left:
                raise AssertionError(f"{subject} was asked for once too often")
            outcome: Any = left.pop(0)
        while callable(outcome):
            outcome = outcome(call)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, NotAnswered):
            return outcome
        replayed = isinstance(outcome, Replayed)
        body = outcome.body if isinstance(outcome, Replayed) else outcome
        with self._lock:
            number = self._answers[subject] = self._answers.get(subject, 0) + 1
        version = body.get("modelVersion")
        return Answered(StoredReply(event_id(subject, number), body, version, call.input_hash), replayed)

    def sweep(self) -> int:
        self.sweeps += 1
        return 0

    def quota(self, step: Step | None = None) -> QuotaStatus:
        now = datetime.now(UTC)
        return QuotaStatus(
            model=self._model,
            unit="prompt",
            quota_day=now.date(),
            used=self._used,
            reserved=0,
            cap=self._cap,
            resets_at=now + timedelta(hours=8),
            spent_usd=Decimal(0),
            spend_limit_usd=Decimal(10),
            blocked_until=self._blocked_until,
            budgets=(Budget(Decimal(1), Decimal(1), now + timedelta(hours=8), step.domain),)
            if step is not None and self._share_is_spent
            else (),
        )

    def roll_up_spend(self, since: date) -> int:
        return 0

    def spend(self, since: date) -> Sequence[SpendDay]:
        return ()

    def spend_of_day(self, day: date) -> Sequence[SpendDay]:
        return ()

    def recent_replies(self, since: datetime) -> RecentReplies:
        return self._replies

    @property
    def left(self) -> Iterable[str]:
        """Accounts with outcomes that were not asked for."""
        return [subject for subject, outcomes in self._left.items() if outcomes]
