"""The ways in which a worker ends its work on a task, as values: a statement, what it needs, and what the task is then.

`store.py` carries them out alone, `fenced_trip.py` together with the results of the work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.shared.tasks import statements
from entity_pipeline.shared.tasks.rules import Task, TaskQueue, TaskStatus, wait_after

_LONGEST_ERROR = 1_000


@dataclass(frozen=True, slots=True)
class Ending:
    """A write under a fence that leaves the task in the state `status`, held by no worker."""

    statement: str
    status: TaskStatus
    values: Mapping[str, Any] = field(default_factory=dict)


def finished(outcome: str | None = None) -> Ending:
    """The task is done; `outcome` says how, where that is not self-evident."""
    return Ending(statements.FINISH, TaskStatus.DONE, {"outcome": outcome})


def failed(queue: TaskQueue, task: Task, kind: str, error: str) -> Ending:
    """An attempt failed: pending until the wait for this kind of failure is over, or failed after the last attempt."""
    wait = wait_after(queue.policies[kind], task.attempts, task.max_attempts)
    values = {"outcome": kind, "wait": wait, "error": one_line(error, _LONGEST_ERROR)}
    if wait is None:
        return Ending(statements.FAIL, TaskStatus.FAILED, values)
    return Ending(statements.RETRY, TaskStatus.PENDING, values)


def put_off(until: datetime, because: str) -> Ending:
    """Nothing was sent: due again at `until`, and the attempt does not count."""
    values = {"until": until, "error": one_line(because, _LONGEST_ERROR)}
    return Ending(statements.PUT_OFF, TaskStatus.PENDING, values)


def released() -> Ending:
    """Given back at a clean stop: due at once, and the attempt does not count."""
    return Ending(statements.RELEASE, TaskStatus.PENDING)
