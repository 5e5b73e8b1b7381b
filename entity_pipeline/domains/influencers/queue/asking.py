"""One answer from Instagram for a task: other seats are tried when one is refused. What to ask is up to the task."""

from datetime import timedelta
from typing import TypeVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.scraping.logic.profile_verdict import is_refusal
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import Task

MOST_SEATS = 3
# Another worker has the task, and what this one would write is refused.
LOST = Done("lost")
# When a deferral names no time.
_LATER = timedelta(minutes=5)

R = TypeVar("R")


def ask(operation: Operation[R], work: Work) -> Result[R] | Deferred | None:
    """The answer of the first seat that gets one, of at most `MOST_SEATS`.

    Each refusal cools its seat, so the next attempt has another. Returns the last refusal when every seat was refused,
    or no further one is free; Deferred when nothing was sent at all; None when the run ends.
    """
    last: Result[R] | None = None
    for _ in range(MOST_SEATS):
        if not work.may_ask:
            return None
        ended = work.session.run(operation, work.deadline)
        if isinstance(ended, Deferred):
            return last or ended
        if not is_refusal(ended):
            return ended
        last = ended
    return last


def put_off(task: Task, work: Work, deferred: Deferred) -> Stopped:
    """Nothing was sent: the task waits, without an attempt, and the run begins no further one."""
    until = deferred.next_at or work.clock() + _LATER
    because = str(deferred.reason)
    patiently_on(work.database, lambda connection: work.store.put_off(connection, task, until, because))
    return Stopped(because, deferred.next_at, at_once=False)


def give_back(task: Task, work: Work) -> Done | Stopped:
    """The run ends before the task does: it is due again at once, and the next run goes on where it is.

    LOST if it is only this task that may not go on, because another worker has it.
    """
    if work.lost.is_set():
        return LOST
    patiently_on(work.database, lambda connection: work.store.release(connection, [task]))
    return Stopped(
        "The run is stopping." if work.stop.is_set() else "The step's time is up; the next run continues."
    )
