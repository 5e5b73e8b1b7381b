"""Claims tasks and works on them in threads: what runs over the queue and over chosen days have in common.

A failure of one task is booked on it. One that would meet every task, such as a missing table, ends the run: its
tasks are given back, and no attempt counts.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from threading import Event
from typing import Any

import psycopg

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.influencers.queue.asking import LOST
from entity_pipeline.domains.influencers.queue.handlers import HANDLERS
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Failure
from entity_pipeline.domains.influencers.queue.work_item import Handler, Work
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.database.refusals import said_by
from entity_pipeline.shared.runs.gate import joint_gate
from entity_pipeline.shared.runs.workers import Done, Stopped, Words, Workers, gated_jobs
from entity_pipeline.shared.tasks.leases import Leases
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline.shared.tasks.store import TaskStore

# Whether Instagram may be asked: its switch, and the terms that a person has acknowledged.
BESIDE = (InstagramSettings,)
WORDS = Words("tasks", "Instagram", "are taken up again by the recovery")
_LOG = logging.getLogger(__name__)

Claim = Callable[[psycopg.Connection[Any], str, int], list[Task]]
"""Takes a connection, the name of the claim and how many; returns the tasks."""


@dataclass
class QueueReport:
    """How a run went: the tasks it claimed, outcomes by word, and why it ended early, if it did."""

    claimed: list[Task] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    held_because: str = ""
    retry_at: datetime | None = None

    @property
    def left(self) -> int:
        """Claimed tasks that were given back."""
        return len(self.claimed) - self.outcomes.total()


@dataclass(frozen=True, slots=True)
class QueueRun:
    """One run. `name` is unique to it and begins the names of its claims."""

    name: str
    database: Database
    settings: SettingsAccess
    session: InstagramSession
    deadline: datetime
    store: TaskStore = STORE
    handlers: Mapping[str, Handler] = field(default_factory=lambda: HANDLERS)

    def once(self, claim: Claim) -> QueueReport:
        """Claim up to `tasks_per_tick` tasks and work on them.

        Raises:
            PipelineFailure: no task can be worked on.
        """
        report = QueueReport()
        self._round(claim, report)
        return report

    def until_done(self, claim: Claim) -> QueueReport:
        """The same, until there is nothing to claim or a reason to stop."""
        report = QueueReport()
        while self._round(claim, report) and not report.held_because:
            pass
        return report

    def _round(self, claim: Claim, report: QueueReport) -> bool:
        """Returns whether there was a task."""
        gate = patiently(lambda: joint_gate(self.settings, InfluencerSettings, *BESIDE))
        if isinstance(gate, Closed):
            report.held_because = str(gate.reason)
            return False
        name, most = f"{self.name}/{token_hex(4)}", gate.settings.tasks_per_tick
        tasks = patiently_on(self.database, lambda connection: claim(connection, name, most))
        if not tasks:
            return False
        stop = Event()
        workers = Workers(stop, gate.settings.max_concurrent_tasks, WORDS)
        with Leases(self.store, self.database, tasks) as leases:
            workers.work_through(
                gated_jobs(
                    tasks,
                    lambda task, settings: self._handled(task, leases, stop, settings),
                    self.settings,
                    InfluencerSettings,
                    stop=stop,
                    deadline=self.deadline,
                    beside=BESIDE,
                )
            )
        report.claimed += tasks
        report.outcomes += workers.outcomes
        report.held_because, report.retry_at = workers.held_because, workers.retry_at
        return True

    def _handled(
        self, task: Task, leases: Leases, stop: Event, settings: InfluencerSettings
    ) -> Done | Stopped:
        with leases.work_on(task) as lost:
            if not patiently_on(self.database, lambda connection: self.store.begin(connection, [task])):
                return LOST
            work = Work(
                settings=settings,
                session=self.session,
                database=self.database,
                store=self.store,
                stop=stop,
                lost=lost,
                deadline=self.deadline,
            )
            try:
                return self.handlers[task.task_type](task, work)
            except PipelineFailure:
                self._give_back(task)
                raise
            except Exception as error:  # noqa: BLE001 - a task whose work breaks must not take the others along
                _LOG.exception("task %s (%s) failed", task.id, task.task_type)
                return self._failed(task, error)

    def _give_back(self, task: Task) -> None:
        """If that fails too, its lease runs out."""
        with suppress(PipelineFailure), self.database.connection() as connection:
            self.store.release(connection, [task])

    def _failed(self, task: Task, error: Exception) -> Done:
        said = said_by(error) if isinstance(error, psycopg.Error) else str(error)
        text = f"{type(error).__name__}: {said}"
        patiently_on(self.database, lambda connection: self.store.fail(connection, task, Failure.ERROR, text))
        return Done(Failure.ERROR)
