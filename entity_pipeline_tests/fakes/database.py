"""A database that is away, or dies, at chosen moments; real otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from entity_pipeline.core.ports import Database


class FlakyDatabase:
    """Raises `failures[n]` when the n-th connection is asked for, counted from 1; `before` sees each number."""

    def __init__(
        self,
        database: Database,
        failures: dict[int, Exception] | None = None,
        before: Callable[[int], object] = lambda number: None,
    ) -> None:
        self._database = database
        self._failures = failures or {}
        self._before = before
        self._lock = Lock()
        self.connections = 0

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._lock:
            self.connections += 1
            number = self.connections
        self._before(number)
        if number in self._failures:
            raise self._failures[number]
        with self._database.connection() as connection:
            yield connection
