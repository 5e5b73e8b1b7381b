"""An installation that existed before this project, to migrate and to inspect."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from entity_pipeline_tests.databases import DatabaseServer


@contextmanager
def older_installation(server: DatabaseServer) -> Iterator[tuple[str, str]]:
    """URLs of its assets and operation databases, not migrated yet; dropped at the end of the block."""
    with server.empty() as assets, server.empty() as operation:
        for name, url in (("assets", assets), ("operation", operation)):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(Path(__file__).with_name(f"older_{name}.sql").read_bytes())
        yield assets, operation
