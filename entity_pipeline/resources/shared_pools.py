"""The connection pools of this process: one for each address, however many resources and threads use it.

A thread that already holds a connection and needs another gets one beside the pool instead of waiting for the other
threads, which may be waiting for it. A recently used connection is checked by its socket alone, which needs no round
trip; if the server vanished silently, the next statement fails, as it would mid-use.
"""

import logging
import math
import os
import select
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from entity_pipeline.core.jsonb import read_stored

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
IDLE_CONNECTION_S = 60.0
# A firewall that forgets a connection, or a server that vanishes silently, does not close the socket.
TRUSTED_FOR_S = 5.0


@dataclass(frozen=True)
class Address:
    """The key of a pool: a connection keeps the application name it was opened under."""

    url: str = field(repr=False)
    application_name: str


class SharedPool:
    """The pool of one address. Nothing connects before the first `take`."""

    def __init__(self, address: Address) -> None:
        from psycopg_pool import ConnectionPool

        # The pool would log every failed attempt; the caller reports the failure once, in one sentence.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._address = address
        self._users: dict[object, int] = {}
        self._holders: dict[Any, int] = {}
        self._pool = ConnectionPool(
            address.url,
            connection_class=_connection_class(),
            kwargs=_options(address),
            min_size=0,
            max_size=1,
            max_idle=IDLE_CONNECTION_S,
            configure=_configure,
            check=_check,
            open=False,
        )

    @property
    def max_connections(self) -> int:
        """The most connections at once, without those beside the pool: the largest number that any user requested."""
        return self._pool.max_size

    @property
    def is_held_here(self) -> bool:
        """Whether this thread has a connection of the pool in use."""
        return threading.get_ident() in list(self._holders.values())

    def take(self, timeout_s: float) -> "psycopg.Connection[Any]":
        """A connection of the pool. Raises `psycopg_pool.PoolTimeout` when none comes free in time."""
        return self._holding(self._pool.getconn(timeout=timeout_s))

    def take_beside(self) -> "psycopg.Connection[Any]":
        """A connection outside the pool, closed when it is given back. Raises psycopg's errors."""
        connection = _connection_class().connect(self._address.url, **_options(self._address))
        _configure(connection)
        connection.is_beside_pool = True
        return self._holding(connection)

    def give_back(self, connection: Any) -> None:
        """Give back the connection of a `take` or a `take_beside`."""
        del self._holders[connection]
        if connection.is_beside_pool:
            connection.close()
        else:
            connection.last_used_at = time.monotonic()
            self._pool.putconn(connection)

    def join(self, user: object, max_connections: int) -> None:
        """Keep the pool open, and wide enough, for `user` until it leaves."""
        if user not in self._users:
            self._users[user] = max_connections
            self._fit()
            if self._pool.closed:
                self._pool.open()

    def leave(self, user: object) -> bool:
        """Remove the user; returns whether the pool still has users."""
        self._users.pop(user, None)
        if self._users:
            self._fit()
        return bool(self._users)

    def close(self) -> None:
        """Close its connections; those in use, as soon as they are given back."""
        self._pool.close()

    def _fit(self) -> None:
        wanted = max(self._users.values())
        if wanted != self._pool.max_size:
            self._pool.resize(0, wanted)

    def _holding(self, connection: Any) -> Any:
        self._holders[connection] = threading.get_ident()
        return connection


class SharedPools:
    """Opens a pool for its first user and closes it after its last one; safe for threads and forks."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._open: dict[Address, SharedPool] = {}
        self._inherited: list[Any] = []

    def joined(self, address: Address, user: object, max_connections: int) -> SharedPool:
        """The pool of an address, open until `user` leaves it."""
        with self._changing:
            shared = self._open.get(address)
            if shared is None:
                shared = self._open[address] = SharedPool(address)
            shared.join(user, max_connections)
            return shared

    def leave(self, address: Address, user: object) -> None:
        """Remove `user` from the pool; the last one closes it."""
        with self._changing:
            shared = self._open.get(address)
            if shared is None or shared.leave(user):
                return
            del self._open[address]
        shared.close()

    def forget_inherited(self) -> None:
        """Start with new pools in a forked process: its sockets are the parent's, and the pools' threads are gone."""
        self._changing = threading.Lock()
        # Kept alive: finalising them would close the parent's connections.
        self._inherited.append(self._open)
        self._open = {}


POOLS = SharedPools()
os.register_at_fork(after_in_child=POOLS.forget_inherited)


def _options(address: Address) -> dict[str, Any]:
    """Options a transaction pooler needs: no prepared statements, no session settings."""
    return {
        "autocommit": True,
        "prepare_threshold": None,
        "application_name": address.application_name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": 30,
    }


def _configure(connection: "psycopg.Connection[Any]") -> None:
    """Configure the client side only; nothing here is a session setting."""
    from psycopg import IsolationLevel
    from psycopg.types.json import set_json_loads

    # People and other programs write jsonb too, and no value in it may end a run.
    set_json_loads(read_stored, connection)
    # A read after a lock must see the current rows, whatever the server's default isolation is.
    connection.isolation_level = IsolationLevel.READ_COMMITTED


def _check(connection: Any) -> None:
    """Raise psycopg's error if a connection of the pool has ended."""
    from psycopg_pool import ConnectionPool

    if time.monotonic() - connection.last_used_at > TRUSTED_FOR_S or _has_unread_data(connection):
        ConnectionPool.check_connection(connection)


def _has_unread_data(connection: "psycopg.Connection[Any]") -> bool:
    """True if the idle socket has unread data: usually a shutdown notice or EOF."""
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


@cache
def _connection_class() -> Any:
    """Connections that mark their errors: psycopg does not tell which of two connections a statement failed on."""
    import psycopg

    class MarkingConnection(psycopg.Connection[Any]):
        is_beside_pool = False
        last_used_at = -math.inf

        def wait(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().wait(*args, **kwargs)
            except psycopg.Error as error:
                error.raised_on = self  # type: ignore[attr-defined]
                raise

    return MarkingConnection
