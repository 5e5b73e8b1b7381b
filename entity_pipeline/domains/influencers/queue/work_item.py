"""What a handler gets with a task, and how it says that its work on the task is over.

A handler ends the task itself in the store (`finish`, `fail`, `put_off`, `release`) and returns `Done` with a word for
the counts of the run, or `Stopped` when no further task of the run can succeed now.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Event

from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline.shared.tasks.store import TaskStore


@dataclass(frozen=True, slots=True)
class Work:
    """What the work on one task may use.

    Attributes:
        database: The database `assets`.
        stop: Set while the run ends: ask for nothing new.
        lost: Set once another worker has the task: every write is refused from then on.
        deadline: When the step ends, UTC.
    """

    settings: InfluencerSettings
    session: InstagramSession
    database: Database
    store: TaskStore
    stop: Event
    lost: Event
    deadline: datetime
    clock: Callable[[], datetime] = field(default=partial(datetime.now, UTC))

    @property
    def may_ask(self) -> bool:
        """Whether a further request may begin."""
        return not (self.stop.is_set() or self.lost.is_set()) and self.clock() < self.deadline


Ended = Done | Stopped
Handler = Callable[[Task, Work], Ended]
"""The work on a task of one type. Raises `DatabaseUnavailable` when the database stays away."""
