"""A queue that no domain has: its types, its policies, its table in a test's database, and short words for both."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg

from entity_pipeline.shared.tasks.rules import NewTask, RetryPolicy, Task, TaskQueue, TaskStatus
from entity_pipeline.shared.tasks.store import TaskStore
from entity_pipeline.shared.tasks.table import task_table

Connection = psycopg.Connection[Any]

TABLE = "errands"
LEASE = timedelta(minutes=30)
COOLING, OTHER = "cooling", "other"
POLICIES = {
    COOLING: RetryPolicy([timedelta(minutes=5), timedelta(minutes=15)]),
    OTHER: RetryPolicy([timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=45)]),
}
QUEUE = TaskQueue(TABLE, types=("fetch", "describe"), policies=POLICIES, lease=LEASE)
# Without a place for the oldest in claims of fewer than ten.
STORE = TaskStore(QUEUE, draw=lambda: 0.0)


def make_table(connection: Connection) -> None:
    """The table, as a domain's migration makes it."""
    connection.execute(task_table(TABLE).encode())


def errand(key: str, priority: int = 5, task_type: str = "fetch", **more: Any) -> NewTask:
    return NewTask(task_type, key, priority, **more)


def put(connection: Connection, *keys: str, **more: Any) -> list[int]:
    """New tasks of one kind; returns their ids."""
    return [created.id for created in STORE.create(connection, [errand(key, **more) for key in keys])]


def claimed(connection: Connection, claim: str = "claim", most: int = 1, **more: Any) -> list[Task]:
    return STORE.claim(connection, claim, most, **more)


def one(connection: Connection, claim: str = "claim") -> Task:
    """The next task, which there is."""
    [task] = claimed(connection, claim)
    return task


def keys(tasks: Sequence[Task]) -> list[str]:
    return [task.task_key for task in tasks]


def now(connection: Connection, id_: int) -> Task:
    """The task as it is now."""
    [task] = [task for task in STORE.page(connection, 10_000) if task.id == id_]
    return task


def lapse(connection: Connection, id_: int | None = None) -> None:
    """Let the leases of one task, or of all, have run out a moment ago."""
    connection.execute(
        "update errands set lease_until = clock_timestamp() - interval '1 ms' "
        "where lease_until is not null and id = coalesce(%s, id)",
        [id_],
    )


def wake(connection: Connection) -> None:
    """Let every wait be over."""
    connection.execute(
        "update errands set next_retry_at = next_retry_at - interval '1 day', "
        "deferred_until = deferred_until - interval '1 day'"
    )


def statuses(connection: Connection) -> dict[str, TaskStatus]:
    return {task.task_key: task.status for task in STORE.page(connection, 10_000)}
