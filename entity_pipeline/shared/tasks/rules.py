"""The rules of a queue: states, retries, and what is claimed first. Pure; `store.py` carries them out in SQL.

pending --claim--> running --finish--> done
                   running --fail----> pending (later), or failed after the last attempt
                   running --put off, release--> pending, and the attempt does not count
                   running --wait for batch----> running, held by an outside job and by no worker
                   running --its lease ran out-> pending, or failed when that happened too often
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import floor
from typing import Any

FIRST_PRIORITY, LAST_PRIORITY = 1, 10
MOST_AT_ONCE = 1_000
# The part of all claimed tasks that goes to those that have been due longest, whatever their priority.
SHARE_OF_THE_OLDEST = 0.1


class TaskStatus(StrEnum):
    """The states of a task; `done` and `failed` are final."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a task waits after each failed attempt; the attempt after the last wait is the final one."""

    waits: Sequence[timedelta]

    @property
    def attempts(self) -> int:
        """How many attempts there are."""
        return len(self.waits) + 1


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """What a domain says about its queue.

    Attributes:
        table: the table, made as `table.py` says.
        types: every task type; in a claim of several, earlier and later ones are equal.
        policies: a retry policy for each kind of failure; the kind is the `outcome` of a task that failed.
        lease: how long a worker holds a task without a sign of life.
        most_losses: a task whose worker was lost this often fails: it probably ends its worker.
    """

    table: str
    types: tuple[str, ...]
    policies: Mapping[str, RetryPolicy]
    lease: timedelta = timedelta(minutes=30)
    most_losses: int = 3

    @property
    def most_attempts(self) -> int:
        """The attempts of the most patient policy."""
        return max(policy.attempts for policy in self.policies.values())


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to create. While a task of the same type and key is pending or running, no second one is created."""

    task_type: str
    key: str
    priority: int
    payload: Mapping[str, Any] = field(default_factory=dict)
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the table. `attempts` are those that failed, and the one at work; `losses`, how often a
    worker was lost while it did the task.

    A claimed task carries the `fence` under which its worker may write; `steps` is what was noted as done.
    """

    id: int
    task_type: str
    task_key: str
    status: TaskStatus
    priority: int
    payload: Mapping[str, Any]
    steps: Mapping[str, Any]
    attempts: int
    max_attempts: int
    losses: int
    fence: int
    lease_owner: str | None
    lease_until: datetime | None
    batch_key: str | None
    outcome: str | None
    error_message: str | None
    next_retry_at: datetime | None
    deferred_until: datetime | None
    due_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime


def wait_after(policy: RetryPolicy, attempts: int, max_attempts: int) -> timedelta | None:
    """How long a task waits after its failed attempt number `attempts`; None when that was the last one."""
    if attempts >= min(policy.attempts, max_attempts):
        return None
    return policy.waits[attempts - 1]


def places_of_the_oldest(places: int, drawn: float) -> int:
    """How many of a claim's places go to the tasks that have been due longest, whatever their priority.

    A strict order of priorities would let important work starve the rest for ever. An order that ages would let a large
    old backlog pass before what a person has just asked for. A share has neither fault: one place in ten, over many
    claims and workers, without a counter that they would have to share. `drawn` is random, at least 0 and below 1.
    """
    return floor(places * SHARE_OF_THE_OLDEST + drawn)
