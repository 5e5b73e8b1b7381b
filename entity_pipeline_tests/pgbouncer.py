"""A pgbouncer in front of the tests' server, in transaction or session mode as on Supabase's ports 6543 and 5432.

No Python wheel contains this program. In CI it must be installed; on a newcomer's machine
the tests marked `needs_pgbouncer` are left out, and the run says how many and why.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg

Mode = Literal["session", "transaction"]

MARKER = "needs_pgbouncer"
WHY = "pgbouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer)"
_START_LIMIT_S = 10.0

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
auth_user = {superuser}
pool_mode = {mode}
default_pool_size = {connections}
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


def program() -> str | None:
    """Where pgbouncer is, or None; Debian keeps it where an ordinary user's PATH does not look."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


def is_left_out() -> bool:
    """Whether the tests that need it are not run: it is missing, and this is not CI."""
    return program() is None and os.environ.get("CI", "").lower() not in ("1", "true")


@contextmanager
def pooler(server_url: str, folder: Path, *, mode: Mode, connections: int = 20) -> Iterator[str]:
    """The same database as `server_url` through a pooler; ends with the block.

    Any other database of the server is reached at the same place, by any role that may log in.

    Args:
        server_url: address as the superuser, whose password does not apply to other roles.
        connections: the most that the pooler opens for each database and role.
    """
    found = program()
    if found is None:
        raise FileNotFoundError(WHY)
    server = urlsplit(server_url)
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    port = _free_port()
    configuration.write_text(
        _CONFIGURATION.format(
            server_port=server.port,
            port=port,
            users=users,
            superuser=server.username,
            mode=mode,
            connections=connections,
        )
    )
    as_ordinary_user = []
    if os.geteuid() == 0:  # which pgbouncer refuses to run as
        as_ordinary_user = ["-u", "nobody"]
        for path in (folder, users, configuration):
            shutil.chown(path, "nobody")
    url = server._replace(netloc=f"{server.username}:{server.password}@127.0.0.1:{port}").geturl()
    with open(folder / "pgbouncer.log", "wb") as log:
        process = subprocess.Popen(
            [found, "-q", *as_ordinary_user, str(configuration)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_answers(url, process, folder / "pgbouncer.log")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=_START_LIMIT_S)


def transaction_pooler(
    server_url: str, folder: Path, *, connections: int = 20
) -> AbstractContextManager[str]:
    """`pooler` in its hardest mode: every transaction may have another connection."""
    return pooler(server_url, folder, mode="transaction", connections=connections)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"pgbouncer does not answer: {log.read_text()}") from error
            time.sleep(0.02)
