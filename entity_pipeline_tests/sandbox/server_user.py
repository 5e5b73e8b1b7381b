"""A process that uses the PostgreSQL of a folder until its standard input ends: ``server_user.py FOLDER``.

Writes the address of the database `assets` once it answers. Run as a file, so that any user may run it.
"""

import sys
from pathlib import Path

from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres


def main(folder: Path) -> None:
    """Start or join, tell, wait, leave."""
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]):
        sys.stdout.write(server.url("assets") + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
