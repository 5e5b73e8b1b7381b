"""A database that is unreachable or dies at chosen moments, or whose list is always up to date; real otherwise."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.enrichment_queue import compare, sweep


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


class FollowedDatabase:
    """The assets database with an immediate sweep: each connection finds the list as the accounts are now."""

    def __init__(self, assets_db: Database, operation_db: Database) -> None:
        self._assets_db = assets_db
        self._operation_db = operation_db

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._operation_db.connection() as operation, self._assets_db.connection() as assets:
            sweep(operation, assets, give_up_at=math.inf)
            compare(operation, assets, give_up_at=math.inf)
        with self._assets_db.connection() as connection:
            yield connection
