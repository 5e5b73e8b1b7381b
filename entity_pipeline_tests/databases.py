"""One PostgreSQL for the whole test run, and a fresh copy of a migrated database for each test.

The folder has a fixed name, so that all pytest-xdist workers (and a second run beside this one)
share one server, and a server that a killed run left behind is taken over. The last run that ends deletes it.
With `--through=session` or `--through=transaction` every address of a test's database is that of a pgbouncer.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from entity_pipeline import migrations
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.resources.postgres import PooledDatabase, open_database
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline_tests import pgbouncer

DatabaseKind = Literal["assets", "operation"]
Through = Literal["direct", "session", "transaction"]

_KINDS: tuple[DatabaseKind, ...] = ("assets", "operation")
_ROOM_NEEDED_BYTES = 2_000_000_000


class ClonedDatabase:
    """A migrated database of one test; satisfies `core.ports.Database`, with up to 16 connections at once."""

    def __init__(self, url: str, pool: PooledDatabase) -> None:
        self.url = url
        self._pool = pool

    def connection(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self._pool.connection()


class DatabaseServer:
    """The server of the test run; one object per process."""

    def __init__(self, postgres: EmbeddedPostgres, admin: psycopg.Connection[Any]) -> None:
        self._postgres = postgres
        self._admin = admin
        self._version = _migrations_version()
        self._pooler: str | None = None

    def url(self, database: str) -> str:
        """Address of any database of the server, as its superuser, whatever the tests go through."""
        return self._postgres.url(database)

    @contextmanager
    def through(self, mode: Through) -> Iterator[None]:
        """From here to the end of the block, addresses of `clone` and `empty` are those of a pooler."""
        if mode == "direct":
            yield
            return
        with tempfile.TemporaryDirectory(prefix="entity-pipeline-pgbouncer-", dir=fast_disk()) as folder:
            with pgbouncer.pooler(self.url("postgres"), Path(folder), mode=mode) as pooler:
                self._pooler = urlsplit(pooler).netloc
                try:
                    yield
                finally:
                    self._pooler = None

    @contextmanager
    def clone(self, kind: DatabaseKind) -> Iterator[ClonedDatabase]:
        """A migrated database without rows, dropped at the end of the block. Takes about 20 ms."""
        with (
            self.empty(template=self._template(kind)) as url,
            # Under a name of its own, for the code under test must get on with the connections it asks for.
            open_database(url, max_connections=16, application_name="a test") as pool,
        ):
            yield ClonedDatabase(url, pool)

    @contextmanager
    def empty(self, *, template: str = "template0", direct: bool = False) -> Iterator[str]:
        """Address of a database with nothing in it, dropped at the end of the block.

        Args:
            direct: never through a pooler, as Dagster's own storage must be.
        """
        name = f"test_{uuid.uuid4().hex}"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        try:
            url = self.url(name)
            yield url if direct or not self._pooler else urlsplit(url)._replace(netloc=self._pooler).geturl()
        finally:
            self._wait_until_left(name)
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _wait_until_left(self, name: str) -> None:
        # A backend outlives its closed connection by a millisecond; DROP, meeting it, would sleep 100.
        if self._pooler:  # which keeps its connections
            self._admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        for _ in range(20):
            if not self._admin.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", [name]).rowcount:
                return
            time.sleep(0.001)

    def make_templates(self) -> None:
        """Migrate the databases that `clone` copies, once for all processes; one at a time may do it."""
        there = {row[0] for row in self._admin.execute("SELECT datname FROM pg_database")}
        if there.issuperset(map(self._template, _KINDS)):
            return
        for kind in _KINDS:
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._template(kind))
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", f"building_{kind}")
            self._execute("CREATE DATABASE {}", f"building_{kind}")
        migrations.migrate(self.url("building_assets"), self.url("building_operation"))
        for kind in _KINDS:
            self._execute("ALTER DATABASE {} RENAME TO {}", f"building_{kind}", self._template(kind))

    def _template(self, kind: DatabaseKind) -> str:
        return f"template_{kind}_{self._version}"

    def _execute(self, statement: str, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def shared_database_server() -> Iterator[DatabaseServer]:
    """The server of this checkout's test runs, started by the first user and deleted by the last."""
    folder = _folder()
    postgres = EmbeddedPostgres(folder, databases=(), durable=False)
    servers = SharedServers(folder, [postgres])
    try:
        with servers, psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
            server = DatabaseServer(postgres, admin)
            with open(folder / "templates.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                server.make_templates()
            yield server
    finally:
        with suppress(InputRejected):
            servers.reset()


def fast_disk() -> Path:
    """Where the servers of tests keep their files: in memory if there is room, because disks are much slower."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > _ROOM_NEEDED_BYTES
    return memory if roomy else Path(tempfile.gettempdir())


def _folder() -> Path:
    checkout = hashlib.sha256(str(Path(__file__).resolve()).encode()).hexdigest()[:10]
    return fast_disk() / f"entity-pipeline-tests-{os.geteuid()}-{checkout}"


def _migrations_version() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(migrations.__file__).parent.rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
