"""Our indexes that a build left unfinished, or that the history has and the database has not."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from entity_pipeline.migrations.files import MigrationFile

_UNFINISHED = """
select n.nspname, c.relname
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and c.relname like 'entity\\_pipeline\\_%'
"""


def unfinished_indexes(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of our indexes that a broken-off build left invalid."""
    return connection.execute(_UNFINISHED).fetchall()


def drop_unfinished_indexes(connection: psycopg.Connection) -> None:
    """So that `if not exists` does not take an invalid index for the one it is to build."""
    for schema, name in unfinished_indexes(connection):
        connection.execute(
            sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(schema, name))
        )


def lost_indexes(connection: psycopg.Connection, applied: Sequence[MigrationFile]) -> list[MigrationFile]:
    """Those of the applied files whose index, built concurrently, is not there."""
    wanted = {file.concurrent_index: file for file in applied if file.concurrent_index}
    there = connection.execute(
        "select relname from pg_class where relkind in ('i', 'I') and relname = any(%s)", [list(wanted)]
    )
    found = {name for (name,) in there}
    return [file for name, file in wanted.items() if name not in found]
