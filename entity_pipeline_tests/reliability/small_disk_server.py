"""PostgreSQL on a separate disk that can be filled: ``small_disk_server.py FOLDER``, started by `small_disk`.

Each line of its input is a command: ``fill`` leaves no byte free, ``free`` gives them back; the input's end stops it.
The disk is a tmpfs in a mount namespace of this process, so no other process sees it and no rights are needed.
"""

import sys
from contextlib import suppress
from pathlib import Path

import psycopg

from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

_BLOCK = b"\0" * 65_536


def main(folder: Path) -> None:
    """Start, tell both addresses in a line, obey, leave."""
    server = EmbeddedPostgres(folder, databases=("assets", "operation"), durable=False)
    ballast = folder / "ballast"
    with SharedServers(folder, [server]):
        _say(f"{server.url('assets')} {server.url('operation')}")
        for line in sys.stdin:
            if line.strip() == "fill":
                _start_a_wal_file(server.url("assets"))
                _fill(ballast)
            else:
                ballast.unlink()
            _say("done")


def _start_a_wal_file(url: str) -> None:
    """A log file is made at its full size; with no room for the next one PostgreSQL stops altogether."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_switch_wal()")
        connection.execute("checkpoint")


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(_BLOCK):
            pass


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
