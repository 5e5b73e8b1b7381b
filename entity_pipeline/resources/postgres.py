"""PostgreSQL, through `psycopg_pool`: the `Database` of `core.ports`, inside Dagster and outside.

Nothing connects before the first `connection()`, an idle pool holds no connection, and all databases of one address
share one pool (`shared_pools.py`). Everything must work through a transaction pooler, so prepared statements are off
and nothing is set per session.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import dagster as dg
from pydantic import Field, PrivateAttr

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, SchemaMismatch
from entity_pipeline.resources.shared_pools import POOLS, Address, SharedPool

if TYPE_CHECKING:
    import psycopg

APPLICATION_NAME = "entity_pipeline"
WAIT_FOR_CONNECTION_S = 30.0
# Error texts of PostgreSQL and its poolers for 'too many connections'.
_FULL = (
    "too many connections",
    "remaining connection slots",
    "no more connections",
    "too many clients",
    "max clients",
)
# After this long without a connection, find out whether the server is down or all our own connections are busy.
_DIAGNOSE_AFTER_S = 1.0


class PooledDatabase:
    """One user of a database's pool; safe for threads. Made by `open_database`, which also closes it."""

    def __init__(self, url: str, *, max_connections: int, application_name: str) -> None:
        self._address = Address(libpq_url(url), application_name)
        self._place, self._password = _place_and_password(self._address.url)
        self._max_connections = max_connections

    def __repr__(self) -> str:
        return f"PooledDatabase({self._place})"

    @contextmanager
    def connection(self) -> "Iterator[psycopg.Connection[Any]]":
        """A connection in autocommit mode, valid inside the `with` block; see `core.ports.Database`.

        Raises:
            DatabaseUnavailable: the database can't be reached, dropped the connection, had all connections busy for
                30 s, or refused a statement for now (a timeout, a deadlock, a full disk).
            SchemaMismatch: a table, column or function is missing.
            ConfigurationFailure: the role lacks a right.
        """
        import psycopg
        from psycopg import errors

        pool = POOLS.joined(self._address, self, self._max_connections)
        connection = self._take(pool)
        try:
            yield connection
        except (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction) as error:
            raise SchemaMismatch(
                f"PostgreSQL at {self._place} lacks something the pipeline needs ({error.diag.message_primary}): "
                "run `entity-pipeline migrate`, or `entity-pipeline doctor` to see everything that is missing."
            ) from error
        except errors.InsufficientPrivilege as error:
            if getattr(error, "raised_on", connection) is not connection:
                raise
            raise ConfigurationFailure(
                f"PostgreSQL at {self._place} refuses this to the role ({error.diag.message_primary}): use a role "
                "that has the rights (see docs/schema.md), or run `entity-pipeline doctor` to see which ones it lacks."
            ) from error
        except (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction) as error:
            if connection.closed:
                raise self._unavailable("dropped the connection", error) from error
            # With connections to two databases open, the error passes through both blocks.
            passing = _passing(error) if getattr(error, "raised_on", None) is connection else None
            if passing is None:
                raise
            raise self._unavailable(passing[0], error, passing[1]) from error
        finally:
            pool.give_back(connection)

    def close(self) -> None:
        """Leave the pool, which closes with its last user; a later `connection()` joins it again."""
        POOLS.leave(self._address, self)

    def _take(self, pool: SharedPool) -> Any:
        import psycopg
        from psycopg_pool import PoolTimeout

        deadline = time.monotonic() + WAIT_FOR_CONNECTION_S
        with suppress(PoolTimeout):
            return pool.take(_DIAGNOSE_AFTER_S)
        holds_one = pool.is_held_here
        try:
            beside = pool.take_beside()
        except psycopg.OperationalError as error:
            raise self._unavailable(*_unreached(error)) from None
        if holds_one:
            return beside
        pool.give_back(beside)
        try:
            return pool.take(deadline - time.monotonic())
        except PoolTimeout as error:
            raise self._unavailable(
                f"gave no connection within {WAIT_FOR_CONNECTION_S:.0f} s "
                f"(at most {pool.max_connections} at once)",
                error,
            ) from None

    def _unavailable(
        self, what: str, error: Exception, advice: str = "check its address and that it is running"
    ) -> DatabaseUnavailable:
        reason = _without_password(" ".join(str(error).split()), self._password, self._address.url)
        variable = _variable_of(self._address.url)
        said = f"{reason}; the address is {variable}" if variable else reason
        return DatabaseUnavailable(f"PostgreSQL at {self._place} {what}: {advice} ({said}).")


class PostgresResource(dg.ConfigurableResource):
    """A PostgreSQL database as a Dagster resource; all users of an address within a process share one pool.

    Give `url` as `dg.EnvVar`, so that Dagster stores the variable's name and not its value.
    """

    # Dagster shows field descriptions in its UI, and pydantic shows fields in reprs: this one is a secret.
    url: str = Field(description="postgresql://user:password@host:port/database", repr=False)
    max_connections: int = Field(default=4, ge=1, description="The most connections of one process at once.")
    application_name: str = Field(default=APPLICATION_NAME, description="Seen in pg_stat_activity.")

    _database: PooledDatabase | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["PostgresResource"]:
        """Open the database for Dagster; leave the pool when Dagster is done with the resource."""
        with self._opened() as database:
            self._database = database
            try:
                yield self
            finally:
                self._database = None

    @contextmanager
    def connection(self) -> "Iterator[psycopg.Connection[Any]]":
        """See `core.ports.Database`. If Dagster did not start the resource, a pool is opened for this block."""
        if self._database is not None:
            with self._database.connection() as connection:
                yield connection
        else:
            with self._opened() as database, database.connection() as connection:
                yield connection

    def _opened(self) -> Any:
        return open_database(
            self.url, max_connections=self.max_connections, application_name=self.application_name
        )


@contextmanager
def open_database(
    url: str, *, max_connections: int = 4, application_name: str = APPLICATION_NAME
) -> Iterator[PooledDatabase]:
    """A `Database` outside Dagster, closed at the end of the `with` block. Connects at first use.

    Raises:
        ConfigurationFailure: `url` is not the address of a PostgreSQL database.
    """
    database = PooledDatabase(url, max_connections=max_connections, application_name=application_name)
    try:
        yield database
    finally:
        database.close()


def _unreached(error: "psycopg.Error") -> tuple[str, Exception, str]:
    """Why a connection was refused, and what to do. Such an error has no code, only a text."""
    if any(sign in str(error) for sign in _FULL):
        return (
            "has no connection left",
            error,
            "end other clients, or raise the connection limit of the role, the database or the pooler",
        )
    for signs, what, advice in _REFUSED:
        if any(sign in str(error).lower() for sign in signs):
            return what, error, advice
    return "can't be reached", error, "check its address and that it is running"


# What a server or its pooler says in lower case, and what that means.
_REFUSED = (
    (
        ("password authentication failed", "no password supplied", "sasl", "tenant or user not found"),
        "refuses the user or the password",
        "correct them in its address, with special characters percent-encoded",
    ),
    (('" does not exist',), "does not have this database or user", "correct the name in its address"),
    (
        ("no pg_hba.conf entry", "ssl required", "ssl off", "requires ssl", "does not support ssl"),
        "refuses this kind of connection",
        "add ?sslmode=require to its address, or allow this machine there",
    ),
    (
        ("could not translate host name", "failed to resolve host", "name or service not known"),
        "can't be found",
        "correct the host in its address",
    ),
)


def _passing(error: Exception) -> tuple[str, str] | None:
    """Why the server refused a statement that may succeed later, and what to do."""
    from psycopg import errors

    if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
        return (
            "cancelled a statement that waited or ran too long",
            "check which sessions hold locks (pg_locks), and statement_timeout and lock_timeout, then run it again",
        )
    if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure):
        return "cancelled a statement that conflicted with another session", "run it again"
    if isinstance(
        error, errors.DiskFull | errors.IoError | errors.OutOfMemory | errors.ReadOnlySqlTransaction
    ):
        return (
            "can't write",
            "make room on its disk (a hosted database is set to read-only when its disk is full), then run it again",
        )
    return None


def database_clock(connection: "psycopg.Connection[Any]") -> datetime:
    """The time on the database's clock; it advances within a transaction."""
    row = connection.execute("select clock_timestamp()").fetchone()
    if row is None:
        raise AssertionError("a select without a from always returns a row")
    at: datetime = row[0]
    return at


def _without_password(text: str, password: str, url: str) -> str:
    """The text without the password. What is also a name in the address may stay."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    if not password or password in (parts.get("user"), parts.get("dbname"), parts.get("host")):
        return text
    return text.replace(password, "***")


def _variable_of(url: str) -> str | None:
    """The variables that hold this address, so that a person knows where to correct it."""
    named = [name for name in _VARIABLES if libpq_url(os.environ.get(name, "")) == url]
    return " and ".join(named) or None


_VARIABLES = ("OPERATION_DATABASE_URL", "ASSETS_DATABASE_URL", "DAGSTER_POSTGRES_URL")


def libpq_url(url: str) -> str:
    """`url` without what only other tools understand.

    SQLAlchemy's driver suffix (``postgresql+psycopg2://``) and the parameters of dashboards and of Prisma
    (``?pgbouncer=true``, ``&supa=...``, ``?schema=public``).
    """
    plain = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url.strip())
    address, mark, query = plain.partition("?")
    kept = [
        part
        for part in query.split("&")
        if part.partition("=")[0] not in _OTHER_TOOLS and part != "schema=public"
    ]
    return address + mark + "&".join(kept) if any(kept) else address


_OTHER_TOOLS = frozenset(
    "pgbouncer supa connection_limit pool_timeout sslaccept statement_cache_size uselibpqcompat workaround "
    "prepareThreshold prepared_statements default_query_exec_mode pool_mode".split()
)


def unknown_parameters(url: str) -> list[str]:
    """The parameters of a URL that PostgreSQL does not know, and refuses without saying so of a URL."""
    from psycopg import pq

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} | {"ssl", "requiressl"}
    _, _, query = url.partition("?")
    return [name for name, _ in parse_qsl(query, keep_blank_values=True) if name not in known]


def _place_and_password(url: str) -> tuple[str, str]:
    """host:port/database for messages, and the password to keep out of them."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    if not url:
        raise ConfigurationFailure(
            "The address of a PostgreSQL database is empty: set it to postgresql://user:password@host:port/database."
        )
    unreadable = ConfigurationFailure(
        "The address of a PostgreSQL database can't be read: it must look like "
        "postgresql://user:password@host:port/database, special characters percent-encoded."
    )
    if "://" in url and (unknown := unknown_parameters(url)):
        raise ConfigurationFailure(
            f"The address of a PostgreSQL database has the parameter {' and the parameter '.join(unknown)}, which "
            "PostgreSQL does not know: remove it."
        )
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # libpq's own message quotes the address, password included.
        raise unreadable from None
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    place = f"{host}:{port}/{parts.get('dbname') or parts.get('user') or ''}"
    if "@" in place:  # part of a password; the rest of it would be shown as the host
        raise unreadable
    return place, str(parts.get("password") or "")
