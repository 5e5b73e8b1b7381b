"""Indexes of partitioned tables, which PostgreSQL does not build concurrently as a whole.

Each partition gets its index while others write; the index of the table then takes these over without reading a row.
"""

import re
from hashlib import sha256

import psycopg
from psycopg import sql

from entity_pipeline.migrations.files import MigrationFile, statements

_REFUSAL = re.compile(r"cannot create index on partitioned table \S+ concurrently")
_IS_PARTITIONED = "select relkind = 'p' from pg_class where oid = to_regclass(%s)"
_LEAVES = """
select n.nspname, c.relname
from pg_partition_tree(%s::regclass) t
join pg_class c on c.oid = t.relid
join pg_namespace n on n.oid = c.relnamespace
where t.isleaf and c.relkind = 'r' order by 1, 2
"""
_INDEX = re.compile(
    r"(create (?:unique )?index) concurrently (if not exists) (\w+)\s+on (public\.\w+)\s+(.*)", re.DOTALL
)


def is_refused(error: str) -> bool:
    """Whether a migration ended because its table is partitioned."""
    return bool(_REFUSAL.search(error))


def is_partitioned(connection: psycopg.Connection, file: MigrationFile) -> bool:
    """Whether the file builds an index of a partitioned table."""
    table = f"public.{file.concurrent_table}"
    return connection.execute(_IS_PARTITIONED, [table]).fetchone() == (True,)


def build(connection: psycopg.Connection, file: MigrationFile) -> None:
    """Build the file's index. Safe to repeat after it was interrupted."""
    (statement,) = statements(file.sql)
    found = _INDEX.fullmatch(statement)
    if found is None:
        raise AssertionError(f"{file.name} does more than build one index")
    create, unless, name, table, rest = found.groups()
    for schema, leaf in connection.execute(_LEAVES, [table]).fetchall():
        of_leaf = sql.Identifier(f"{name[:50]}_{sha256(f'{schema}.{leaf}'.encode()).hexdigest()[:8]}")
        connection.execute(
            sql.SQL(f"{create} concurrently {unless} {{}} on {{}} ").format(
                of_leaf, sql.Identifier(schema, leaf)
            )
            + sql.SQL(rest)
        )
    with connection.transaction():
        connection.execute("set local lock_timeout = '5s'")
        connection.execute(f"{create} {unless} {name} on {table} {rest}".encode())
