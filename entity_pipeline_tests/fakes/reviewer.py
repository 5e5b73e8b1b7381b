"""A reviewer without Gemini and database: outcomes by account, and how many ran at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from uuid import UUID

from entity_pipeline.domains.entities.reviews.review import Done, Stopped
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.fakes.gemini import FakeGemini

Result = Done | Stopped | BaseException | Callable[[], "Result"]


class FakeReviewer:
    """Outcomes are used up in order, an account each; who is not named is reviewed.

    `reviewed` lists the accounts in the order they began, `finished` in the order they ended; `most_at_once`
    tells how many ran at the same time, `settings` under which each account was begun.
    """

    def __init__(
        self,
        outcomes: Mapping[UUID, Sequence[Result]] | None = None,
        *,
        deadline: datetime | None = None,
        model: str = "gemini-2.5-flash",
    ) -> None:
        self._left = {account: list(results) for account, results in (outcomes or {}).items()}
        self._running = 0
        self._lock = Lock()
        self.stop = Event()
        self.deadline = deadline or datetime.now(UTC) + timedelta(minutes=1)
        self.gemini = FakeGemini(model=model)
        self.reviewed: list[UUID] = []
        self.finished: list[UUID] = []
        self.most_at_once = 0
        self.settings: list[EntitySettings] = []

    def under(self, settings: EntitySettings) -> "FakeReviewer":
        self.settings.append(settings)
        return self

    def review(self, account_id: UUID) -> Done | Stopped:
        with self._lock:
            self.reviewed.append(account_id)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            left = self._left.get(account_id)
            result: Result = left.pop(0) if left else Done("reviewed", model_version="gemini-2.5-flash")
        try:
            while callable(result):
                result = result()
            if isinstance(result, BaseException):
                raise result
            return result
        finally:
            with self._lock:
                self._running -= 1
                self.finished.append(account_id)
