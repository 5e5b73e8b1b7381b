"""What the domains need of the outside world, as protocols. `resources/` implements them."""

from contextlib import AbstractContextManager
from typing import Any, Protocol


class Database(Protocol):
    """A PostgreSQL database reached directly or through a pooler."""

    def connection(self) -> AbstractContextManager[Any]:
        """A psycopg connection in autocommit mode, valid inside the `with` block.

        Whatever needs state (a lock, a temporary table, a local setting) goes inside one
        ``with connection.transaction()``: a transaction pooler gives every transaction another session.

        Raises:
            DatabaseUnavailable: the database can't be reached.
        """
