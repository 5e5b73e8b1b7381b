"""Several statements that go to PostgreSQL together: a database far away costs its distance once for all of them.

They travel as one simple query and not through libpq's pipeline mode, which not every pooler passes on. Each still
is a statement of its own and sees what was committed before it began: a row that is read after a lock is read
under it. The first that fails ends the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import ClientCursor, sql
from psycopg.rows import dict_row

T = TypeVar("T")
Rows = list[dict[str, Any]]


class Answer(Generic[T]):
    """What a statement answered; there once its round trip was made."""

    def __init__(self, read: Callable[[Rows], T]) -> None:
        self._read = read
        self.rows: Rows | None = None

    @classmethod
    def known(cls, value: T) -> "Answer[T]":
        """An answer that nobody needs to ask for."""
        answer = cls(lambda _: value)
        answer.rows = []
        return answer

    @property
    def value(self) -> T:
        """The rows as the asker reads them."""
        if self.rows is None:
            raise AssertionError("asked before the round trip")
        return self._read(self.rows)


class RoundTrip:
    """Statements in the order in which they are added; `go` sends them and fills their answers."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._cursor = ClientCursor(connection, row_factory=dict_row)
        self._statements: list[str] = []
        self._answers: list[Answer[Any]] = []

    def add(
        self, statement: str | sql.Composable, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> None:
        """A statement whose rows nobody reads."""
        self.ask(statement, parameters, lambda rows: rows)

    def ask(
        self,
        statement: str | sql.Composable,
        parameters: Sequence[Any] | Mapping[str, Any],
        read: Callable[[Rows], T],
    ) -> Answer[T]:
        """A statement whose rows `read` makes a value of."""
        text = statement if isinstance(statement, str) else statement.as_string(self._cursor)
        self._statements.append(self._cursor.mogrify(text.encode(), parameters or None))
        answer = Answer(read)
        self._answers.append(answer)
        return answer

    def go(self) -> None:
        """Send what was added since the last time, if anything was."""
        if not self._statements:
            return
        text, answers = ";\n".join(self._statements), self._answers
        self._statements, self._answers = [], []
        self._cursor.execute(text.encode())
        for answer in answers:
            answer.rows = self._cursor.fetchall() if self._cursor.description else []
            self._cursor.nextset()
