"""A reviewer without Gemini and database: outcomes by account, and how many ran at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from uuid import UUID

from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.runs.workers import Done, Result

Planned = Result | BaseException | Callable[[], "Planned"]


class FakeReviewer:
    """The outcomes of an account are used up in order; an account that is not named is reviewed.

    `reviewed` lists the accounts in the order in which they began, `finished` in the order in which they ended;
    `most_at_once` is how many ran at the same time, `settings` those under which each account was begun.
    """

    def __init__(
        self,
        outcomes: Mapping[UUID, Sequence[Planned]] | None = None,
        *,
        deadline: datetime | None = None,
    ) -> None:
        self._left = {account: list(results) for account, results in (outcomes or {}).items()}
        self._running = 0
        self._lock = Lock()
        self.stop = Event()
        self.deadline = deadline or datetime.now(UTC) + timedelta(minutes=1)
        self.reviewed: list[UUID] = []
        self.finished: list[UUID] = []
        self.most_at_once = 0
        self.settings: list[EntitySettings] = []

    def review(self, account_id: UUID, settings: EntitySettings) -> Result:
        with self._lock:
            self.reviewed.append(account_id)
            self.settings.append(settings)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            left = self._left.get(account_id)
            result: Planned = left.pop(0) if left else Done("reviewed")
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
