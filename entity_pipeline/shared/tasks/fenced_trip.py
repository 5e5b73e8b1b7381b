"""A worker's results and their note in the task: one transaction, one round trip, and nothing once the task is lost.

The first statement notes the steps, which locks the task's row; every further one asks by `{held}` whether the task
is still held. They are sent as one simple query, which PostgreSQL carries out as one transaction and every pooler
passes on. An ending comes last, because it gives the task back.
"""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar

from psycopg import sql

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer, Rows
from entity_pipeline.shared.tasks import statements
from entity_pipeline.shared.tasks.endings import Ending
from entity_pipeline.shared.tasks.rules import NewTask, Task
from entity_pipeline.shared.tasks.store import Connection, TaskStore

T = TypeVar("T")


class FencedTrip:
    """Statements under the fence of one task, on a connection in autocommit mode and outside of any transaction.

    It may be repeated when its answer was lost, if its statements may.
    """

    def __init__(
        self, store: TaskStore, connection: Connection, task: Task, steps: Mapping[str, Any] | None = None
    ) -> None:
        self._store = store
        self._fence = {"ids": [task.id], "fences": [task.fence]}
        self._table = sql.Identifier(store.queue.table)
        self._held = sql.SQL(
            "exists (select from {table} where id = {id} and fence = {fence} and lease_owner is not null)"
        ).format(table=self._table, id=sql.Literal(task.id), fence=sql.Literal(task.fence))
        self._trip = RoundTrip(connection)
        self._is_held = self._write(statements.NOTE_STEPS, {"steps": jsonb_text(steps or {})})

    def add(self, statement: LiteralString, parameters: Mapping[str, Any]) -> None:
        """A write whose condition contains ``{held}``; other braces are doubled."""
        self.ask(statement, parameters, lambda rows: rows)

    def ask(
        self, statement: LiteralString, parameters: Mapping[str, Any], read: Callable[[Rows], T]
    ) -> RoundTripAnswer[T]:
        """The same, with rows that become a value."""
        text = sql.SQL(statement).format(held=self._held, table=self._table)
        return self._trip.ask(text, parameters, read)

    def create(self, task: NewTask) -> None:
        """A further task, unless one of its type and key is pending or running."""
        values = {
            "task_type": task.task_type,
            "key": task.key,
            "priority": task.priority,
            "payload": jsonb_text(task.payload),
            "max_attempts": task.max_attempts or self._store.queue.most_attempts,
        }
        self.add(statements.CREATE_FENCED, values)

    def end(self, ending: Ending) -> None:
        """Give the task back; the last statement."""
        self._is_held = self._write(ending.statement, ending.values)

    def go(self) -> bool:
        """Send all. False: the task was not held any more, and nothing was written."""
        self._trip.go()
        return self._is_held.value

    def _write(self, statement: str, values: Mapping[str, Any]) -> RoundTripAnswer[bool]:
        text = sql.SQL(statement).format(table=self._table)
        return self._trip.ask(text, {**values, **self._fence}, bool)
