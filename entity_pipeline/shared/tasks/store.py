"""The queue of one domain in its table: create, claim, write under a fence, recover, look.

The connection comes first. Every write may be repeated when its answer was lost, so `patiently_on` may carry any of
them. To store results with a task, begin a transaction, note the step, and write only if the task is still held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import random
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.shared.tasks import endings, statements
from entity_pipeline.shared.tasks.rules import (
    MOST_AT_ONCE,
    NewTask,
    Task,
    TaskQueue,
    TaskStatus,
    places_of_the_oldest,
)

# The outcome of a task that failed because it lost its worker again and again.
WORKER_LOST = "worker_lost"
# A task that blocked a new one may have ended before it could be read, and then the new one can be created.
_CREATE_ROUNDS = 10
_ABOVE_ALL = 2**63 - 1

Connection = psycopg.Connection[Any]


class CreatedTask(NamedTuple):
    """The id of the task with a key, and whether it is new."""

    id: int
    is_new: bool


class TaskCount(NamedTuple):
    """How many tasks of a type are in a state."""

    task_type: str
    status: TaskStatus
    tasks: int


class WaitingBatch(NamedTuple):
    """An outside job that tasks wait for, and when the first of them was claimed."""

    batch_key: str
    tasks: int
    since: datetime


@dataclass(frozen=True, slots=True)
class TaskStore:
    """The statements of one queue. `draw` gives random numbers from 0 up to 1 (see `places_of_the_oldest`)."""

    queue: TaskQueue
    draw: Callable[[], float] = random

    def create(self, connection: Connection, tasks: Sequence[NewTask]) -> list[CreatedTask]:
        """Create the tasks, at most 1,000, unless one of the same type and key is pending or running.

        Returns an answer for each, in their order. A pending task takes over a more urgent priority. Repeated after its
        answer was lost, the call finds the tasks that it made.

        Raises:
            ValueError: too many, or a type that the queue does not have.
        """
        wanted: dict[tuple[str, str], NewTask] = {}
        for task in sorted(tasks, key=lambda task: task.priority):
            wanted.setdefault((task.task_type, task.key), task)
        unknown = {task_type for task_type, _ in wanted} - set(self.queue.types)
        if unknown or len(tasks) > MOST_AT_ONCE:
            raise ValueError(
                f"unknown types: {sorted(unknown)}" if unknown else f"{len(tasks)} tasks at once"
            )
        in_order = dict.fromkeys((task.task_type, task.key) for task in tasks)
        missing = [wanted[name] for name in in_order]
        ids: dict[tuple[str, str], int] = {}
        new: set[tuple[str, str]] = set()
        for _ in range(_CREATE_ROUNDS):
            if not missing:
                break
            values = self._new_rows(missing)
            rows = connection.execute(self._sql(statements.CREATE), values).fetchall()
            created = {(row[0], row[1]): row[2] for row in rows}
            new |= created.keys()
            ids |= created
            if len(created) < len(missing):
                for row in connection.execute(self._sql(statements.FIND_OPEN), values).fetchall():
                    ids.setdefault((row[0], row[1]), row[2])
            missing = [task for task in missing if (task.task_type, task.key) not in ids]
        if missing:
            raise RuntimeError("the transaction does not see the tasks that block the new ones")
        answers = []
        for task in tasks:
            name = task.task_type, task.key
            answers.append(CreatedTask(ids[name], name in new))
            new.discard(name)
        return answers

    def claim(
        self, connection: Connection, claim: str, most: int, types: Sequence[str] | None = None
    ) -> list[Task]:
        """Take up to `most` due tasks for the length of a lease: the most urgent first, then those due longest.

        `claim` is unique to this call (a run and a random part). Repeated with the same one, the call returns the tasks
        it took before that are still held, and takes others only if there are none.
        """
        oldest = places_of_the_oldest(most, self.draw())
        values = {"claim": claim, "most": most, "oldest": oldest, "types": list(types or self.queue.types)}
        return self._tasks(connection, statements.CLAIM, values | {"lease": self.queue.lease})

    def claim_made(
        self,
        connection: Connection,
        claim: str,
        most: int,
        made: tuple[datetime, datetime],
        types: Sequence[str] | None = None,
    ) -> list[Task]:
        """Like `claim`, of the tasks that were made from the first instant to before the second; the oldest first.

        For work on chosen days, where priorities would only change the order. The table needs an index over
        `created_at` of the tasks that are pending or running.
        """
        values = {"claim": claim, "most": most, "since": made[0], "until": made[1]}
        values |= {"types": list(types or self.queue.types), "lease": self.queue.lease}
        return self._tasks(connection, statements.CLAIM_MADE, values)

    def extend(self, connection: Connection, tasks: Sequence[Task]) -> set[int]:
        """A sign of life: their leases begin again. Returns the ids of those that are still held."""
        return self._write(connection, statements.EXTEND, tasks, {"lease": self.queue.lease})

    def begin(self, connection: Connection, tasks: Sequence[Task]) -> set[int]:
        """The work on the tasks begins: from now on the loss of their worker counts against them.

        Returns the ids of those that are still held.
        """
        return self._write(connection, statements.BEGIN, tasks, {})

    def note_steps(self, connection: Connection, task: Task, steps: Mapping[str, Any]) -> bool:
        """Merge into the steps that are done. False: the task is not held any more, so store nothing."""
        return bool(self._write(connection, statements.NOTE_STEPS, [task], {"steps": jsonb_text(steps)}))

    def finish(self, connection: Connection, task: Task, outcome: str | None = None) -> bool:
        """The task is done; `outcome` says how, where that is not self-evident. False: it was not held any more."""
        return self._end(connection, [task], endings.finished(outcome)) != set()

    def fail(self, connection: Connection, task: Task, kind: str, error: str) -> TaskStatus | None:
        """An attempt failed. Returns what the task is now, pending or failed; None if it was not held any more."""
        ending = endings.failed(self.queue, task, kind, error)
        return ending.status if self._end(connection, [task], ending) else None

    def put_off(self, connection: Connection, task: Task, until: datetime, because: str) -> bool:
        """Nothing was sent: the task is due again at `until`, and the attempt does not count."""
        return self._end(connection, [task], endings.put_off(until, because)) != set()

    def release(self, connection: Connection, tasks: Sequence[Task]) -> set[int]:
        """Give tasks back at a clean stop: due at once, and the attempt does not count.

        A task that was taken back from a batch waits for that batch again.
        """
        return self._end(connection, tasks, endings.released())

    def wait_for_batch(self, connection: Connection, tasks: Sequence[Task], batch_key: str) -> bool:
        """Hand the tasks over to an outside job; no worker holds them, and no recovery takes them.

        Note this before the job is created, under a name by which it can be found again. False: nothing was written,
        because one of the tasks is not held any more.
        """
        written = self._write(connection, statements.WAIT_FOR_BATCH, tasks, {"batch": batch_key})
        return len(written) == len(tasks)

    def take_back(self, connection: Connection, claim: str, batch_key: str, most: int) -> list[Task]:
        """Take up to `most` tasks that wait for an outside job, to end them by its results; see `claim`.

        If their lease runs out they wait for the job as before, and can be taken back again.
        """
        values = {"claim": claim, "batch": batch_key, "most": most, "lease": self.queue.lease}
        return self._tasks(connection, statements.TAKE_BACK, values)

    def recover(self, connection: Connection, most: int = MOST_AT_ONCE) -> list[Task]:
        """Put back tasks whose lease ran out; one whose worker was lost too often fails (`WORKER_LOST`).

        A loss counts only after `begin`: what else the worker had claimed did not end it.
        Returns them as they are now. Tasks that wait for an outside job are left alone.
        """
        values = {"most": most, "most_losses": self.queue.most_losses, "outcome": WORKER_LOST}
        return self._tasks(connection, statements.RECOVER, values)

    def lapsed(self, connection: Connection) -> int:
        """How many tasks `recover` would take up now."""
        [row] = connection.execute(self._sql(statements.LAPSED)).fetchall()
        return int(row[0])

    def open_by_day(
        self, connection: Connection, made: tuple[datetime, datetime], types: Sequence[str] | None = None
    ) -> dict[date, int]:
        """How many tasks that were made in this span (see `claim_made`) are pending or running, by UTC day."""
        values = {"since": made[0], "until": made[1], "types": list(types or self.queue.types)}
        return dict(connection.execute(self._sql(statements.OPEN_BY_DAY), values).fetchall())

    def with_open(
        self,
        connection: Connection,
        spans: Sequence[tuple[datetime, datetime]],
        types: Sequence[str] | None = None,
    ) -> list[bool]:
        """Whether a task that was made in each span is pending or running; quick however many there are."""
        since, until = [span[0] for span in spans], [span[1] for span in spans]
        values = {"since": since, "until": until, "types": list(types or self.queue.types)}
        found = {row[0] for row in connection.execute(self._sql(statements.SPANS_WITH_OPEN), values)}
        return [nth in found for nth in range(len(spans))]

    def counts(self, connection: Connection) -> list[TaskCount]:
        """How many tasks there are of each type and state."""
        rows = connection.execute(self._sql(statements.COUNTS)).fetchall()
        return [TaskCount(row[0], TaskStatus(row[1]), row[2]) for row in rows]

    def oldest_due(self, connection: Connection) -> dict[str, datetime]:
        """Since when the longest-waiting due task of each type is due; types without one are left out."""
        values = {"types": list(self.queue.types)}
        return dict(connection.execute(self._sql(statements.OLDEST_DUE), values).fetchall())

    def batches(self, connection: Connection) -> list[WaitingBatch]:
        """The outside jobs that tasks wait for, the longest-waiting first."""
        return [WaitingBatch(*row) for row in connection.execute(self._sql(statements.BATCHES)).fetchall()]

    def find(self, connection: Connection, ids: Sequence[int]) -> list[Task]:
        """The tasks with these ids that exist, by id."""
        return self._tasks(connection, statements.FIND, {"ids": list(ids)})

    def page(
        self,
        connection: Connection,
        most: int,
        before: int = _ABOVE_ALL,
        statuses: Sequence[TaskStatus] = tuple(TaskStatus),
        types: Sequence[str] | None = None,
        offset: int = 0,
    ) -> list[Task]:
        """The newest tasks with an id below `before`, which is the last id of the page before.

        `offset` tasks are left out, each of which is read: for long ways use `before`.
        """
        values = {"most": most, "before": before, "statuses": list(statuses), "offset": offset}
        return self._tasks(connection, statements.PAGE, values | {"types": list(types or self.queue.types)})

    def _new_rows(self, tasks: Sequence[NewTask]) -> dict[str, list[Any]]:
        return {
            "types": [task.task_type for task in tasks],
            "keys": [task.key for task in tasks],
            "priorities": [task.priority for task in tasks],
            "payloads": [jsonb_text(task.payload) for task in tasks],
            "max_attempts": [task.max_attempts or self.queue.most_attempts for task in tasks],
        }

    def _write(
        self, connection: Connection, statement: str, tasks: Sequence[Task], values: Mapping[str, Any]
    ) -> set[int]:
        held = {"ids": [task.id for task in tasks], "fences": [task.fence for task in tasks]}
        return {row[0] for row in connection.execute(self._sql(statement), {**values, **held})}

    def _end(self, connection: Connection, tasks: Sequence[Task], ending: endings.Ending) -> set[int]:
        return self._write(connection, ending.statement, tasks, ending.values)

    def _tasks(self, connection: Connection, statement: str, values: Mapping[str, Any]) -> list[Task]:
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(self._sql(statement), values).fetchall()
        return [Task(**row | {"status": TaskStatus(row["status"])}) for row in rows]

    def _sql(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(table=sql.Identifier(self.queue.table))
