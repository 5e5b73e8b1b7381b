"""Indexes of ours that are invalid, or recorded as applied but missing."""

import re
from collections.abc import Sequence

import psycopg
from psycopg import sql

from entity_pipeline.migrations.files import MigrationFile

_DROPPED = re.compile(r"\bdrop (?:index|table) (?:concurrently )?(?:if exists )?(?:public\.)?(\w+)")
_UNFINISHED = """
select n.nspname, c.relname
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and c.relname like 'entity\\_pipeline\\_%'
"""


def unfinished_indexes(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of our indexes that an interrupted build left invalid."""
    return connection.execute(_UNFINISHED).fetchall()


def drop_unfinished_indexes(connection: psycopg.Connection) -> None:
    """Drop them, so that `create index if not exists` does not accept an invalid one."""
    for schema, name in unfinished_indexes(connection):
        connection.execute(
            sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(schema, name))
        )


def lost_indexes(connection: psycopg.Connection, applied: Sequence[MigrationFile]) -> list[MigrationFile]:
    """The applied files whose concurrently built index is missing, unless a later file dropped it or its table."""
    dropped = {name for file in applied for name in _DROPPED.findall(file.sql)}
    wanted = {
        file.concurrent_index: file
        for file in applied
        if file.concurrent_index and dropped.isdisjoint((file.concurrent_index, file.concurrent_table))
    }
    there = connection.execute(
        "select relname from pg_class where relkind in ('i', 'I') and relname = any(%s)", [list(wanted)]
    )
    found = {name for (name,) in there}
    return [file for name, file in wanted.items() if name not in found]
