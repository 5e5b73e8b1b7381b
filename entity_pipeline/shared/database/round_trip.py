"""Several statements sent to PostgreSQL together, so that a distant database costs one round trip for all of them.

They are sent as one simple query and not in libpq's pipeline mode, which some poolers do not pass on. Each is still a
statement of its own and sees what was committed before it began: a row read after a lock is read under the lock. The
first failure ends the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import ClientCursor, sql
from psycopg.rows import dict_row

T = TypeVar("T")
Rows = list[dict[str, Any]]


class RoundTripAnswer(Generic[T]):
    """The result of one statement; available once its round trip was made."""

    def __init__(self, read: Callable[[Rows], T]) -> None:
        self._read = read
        self.rows: Rows | None = None

    @classmethod
    def known(cls, value: T) -> "RoundTripAnswer[T]":
        """A result that is known without asking."""
        answer = cls(lambda _: value)
        answer.rows = []
        return answer

    @property
    def value(self) -> T:
        """The rows as converted by `read`."""
        if self.rows is None:
            raise AssertionError("asked before the round trip")
        return self._read(self.rows)


class RoundTrip:
    """Statements in the order in which they were added; `go` sends them and fills their results."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._cursor = ClientCursor(connection, row_factory=dict_row)
        self._statements: list[str] = []
        self._answers: list[RoundTripAnswer[Any]] = []

    def add(
        self, statement: str | sql.Composable, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> None:
        """A statement whose rows are not needed."""
        self.ask(statement, parameters, lambda rows: rows)

    def ask(
        self,
        statement: str | sql.Composable,
        parameters: Sequence[Any] | Mapping[str, Any],
        read: Callable[[Rows], T],
    ) -> RoundTripAnswer[T]:
        """A statement, and how its rows become a value."""
        text = statement if isinstance(statement, str) else statement.as_string(self._cursor)
        self._statements.append(self._cursor.mogrify(text.encode(), parameters or None))
        answer = RoundTripAnswer(read)
        self._answers.append(answer)
        return answer

    def go(self) -> None:
        """Send the statements that were added since the last call, if any."""
        if not self._statements:
            return
        text, answers = ";\n".join(self._statements), self._answers
        self._statements, self._answers = [], []
        self._cursor.execute(text.encode())
        for answer in answers:
            answer.rows = self._cursor.fetchall() if self._cursor.description else []
            self._cursor.nextset()
