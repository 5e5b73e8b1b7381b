"""Keeps the leases of a run's tasks alive while their work goes on, and gives back what was never begun.

The threads that do the work are those of `shared/runs/workers.py`. Its interruption by a signal leaves the block below
after the tasks at work had time to end: tasks that nothing began are due again at once, and their attempt does not
count. A task that was begun and did not end keeps its lease, which runs out; what it did is unknown.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline.shared.tasks.store import TaskStore

# How many signs of life fit into a lease.
BEATS = 4
_LAST_BEAT_S = 5.0


class Leases:
    """The tasks that one run has claimed, as a context manager around its work."""

    def __init__(self, store: TaskStore, database: Database, tasks: Sequence[Task]) -> None:
        self._store = store
        self._database = database
        self._lock = Lock()
        self._waiting = {task.id: task for task in tasks}
        self._at_work: dict[int, Task] = {}
        self._lost = {task.id: Event() for task in tasks}
        self._ended = Event()
        self._thread = Thread(target=self._beat, name="leases", daemon=True)

    @contextmanager
    def work_on(self, task: Task) -> Iterator[Event]:
        """Around the work on one task. The event is set once the task is lost to another worker: stop then.

        The work ends the task itself (`finish`, `fail`, `put_off`, `release`).
        """
        with self._lock:
            self._waiting.pop(task.id, None)
            self._at_work[task.id] = task
        try:
            yield self._lost[task.id]
        finally:
            with self._lock:
                self._at_work.pop(task.id, None)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:  # a signal, which arrives anywhere
            self._ended.set()
            self._give_back()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(_LAST_BEAT_S)
        self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            never_begun = list(self._waiting.values())
            self._waiting.clear()
        if never_begun:
            # If the database is away, their leases run out.
            with suppress(DatabaseUnavailable):
                patiently_on(self._database, lambda connection: self._store.release(connection, never_begun))

    def _beat(self) -> None:
        pause_s = self._store.queue.lease.total_seconds() / BEATS
        while not self._ended.wait(pause_s):
            with self._lock:
                tasks = [*self._waiting.values(), *self._at_work.values()]
            try:
                with self._database.connection() as connection:
                    held = self._store.extend(connection, tasks)
            except DatabaseUnavailable:
                continue
            for task in tasks:
                if task.id not in held:
                    self._lost[task.id].set()
