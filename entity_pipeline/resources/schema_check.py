"""Compare both databases with declared needs; each difference is a sentence that says what to do.

The needs themselves do not belong here: each domain declares its own, and `shared/schema.py` those of all. What
row-level security hides is found by `schema_rights.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.schema_needs import DatabaseName, SchemaNeeds, TableNeeds
from entity_pipeline.resources.schema_rights import POLICIES, Table, access_differences, may_read

_MIGRATE = "run `entity-pipeline migrate`"

# A column may have any type of its family; enums count as text, because some installations have them.
_FAMILIES: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "varchar", "bpchar", "citext", "enum"}),
    "int": frozenset({"int2", "int4", "int8", "numeric"}),
    "numeric": frozenset({"numeric", "float4", "float8"}),
    "bool": frozenset({"bool"}),
    "date": frozenset({"date"}),
    "jsonb": frozenset({"jsonb"}),
    "timestamptz": frozenset({"timestamptz"}),
    "uuid": frozenset({"uuid"}),
    "uuid[]": frozenset({"_uuid"}),
    "text[]": frozenset({"_text"}),
    "int[]": frozenset({"_int2", "_int4", "_int8"}),
    "text or uuid": frozenset({"text", "varchar", "uuid"}),
    "uuid, int8 or text": frozenset({"uuid", "int8", "int4", "text", "varchar"}),
}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One difference. `column` is None when it concerns the whole table; `str()` is the sentence to print."""

    database: DatabaseName
    table: str
    column: str | None
    sentence: str
    holds_up_runs: bool = True

    def __str__(self) -> str:
        return self.sentence


_TABLES = """
select c.oid, c.relname as name, row_security_active(c.oid) as rows_hidden,
  (select coalesce(array_agg(p.privilege), '{}')
   from unnest(array['select', 'insert', 'update', 'delete']) as p (privilege)
   where has_table_privilege(c.oid, p.privilege)) as granted
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

# Tables that refer to a row of the catalog; a hidden row there would be deleted with it.
_REFERRING = """
select distinct c.relname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.contype = 'f' and k.confrelid = any(%s) and c.relnamespace = 'public'::regnamespace
order by 1
"""

_COLUMNS = """
select a.attrelid as oid, a.attname as name,
  (select coalesce(array_agg(p.privilege), '{}')
   from unnest(array['select', 'update']) as p (privilege)
   where has_column_privilege(a.attrelid, a.attnum, p.privilege)) as granted,
  case t.typtype when 'e' then 'enum' else t.typname end as type,
  a.attnotnull and not a.atthasdef and a.attidentity = '' as must_be_given
from pg_attribute a
join pg_type t on t.oid = a.atttypid
where a.attrelid = any(%s) and a.attnum > 0 and not a.attisdropped
"""

# `whole`: over every row, or over those where it is set; an expression index has no column names.
_INDEXES = """
select i.indrelid as oid, c.relname as name, i.indisunique as is_unique, i.indisvalid as is_valid,
  i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$' as whole,
  (select array_agg(a.attname::text) from pg_attribute a
   where a.attrelid = i.indrelid and a.attnum = any(i.indkey::smallint[])) as columns
from pg_index i
join pg_class c on c.oid = i.indexrelid
where i.indrelid = any(%s)
"""


def missing_schema(
    assets: psycopg.Connection[Any], operation: psycopg.Connection[Any], *needs: SchemaNeeds
) -> list[SchemaProblem]:
    """The `needs` that the two databases lack, those of `assets` first; empty when they lack nothing.

    Each need is checked separately, because two needs of one table may concern different rows; a sentence is given
    once. Reads the catalogs only, as the role of the connection. Raises psycopg's errors when a connection is lost.
    """
    problems: list[SchemaProblem] = []
    for need in needs:
        problems += _table_problems("assets", assets, need.assets)
    for need in needs:
        problems += _table_problems("operation", operation, need.operation)
    for need in needs:
        problems += _function_problems("assets", assets, need.functions.get("assets", ()))
        problems += _function_problems("operation", operation, need.functions.get("operation", ()))
    return list(dict.fromkeys(problems))


def _function_problems(
    database: DatabaseName, connection: psycopg.Connection[Any], functions: Sequence[str]
) -> Iterator[SchemaProblem]:
    for function in functions:
        there = connection.execute("select to_regproc(%s) is not null", (f"public.{function}",)).fetchone()
        if there != (True,):
            sentence = f"{database}: the function {function} is missing; {_MIGRATE}."
            yield SchemaProblem(database, "", None, sentence)


def _table_problems(
    database: DatabaseName, connection: psycopg.Connection[Any], needs: Mapping[str, TableNeeds]
) -> Iterator[SchemaProblem]:
    tables = _tables(connection, list(needs))
    deletable = [
        table.oid
        for name, table in tables.items()
        if needs[name].deleted_with_references and "delete" in table.granted
    ]
    read = {
        name: TableNeeds({}, privileges=("select",))
        for name in _referring(connection, deletable)
        if name not in needs or needs[name].optional
    }
    tables |= _tables(connection, list(read))
    for name, need in (*needs.items(), *read.items()):
        table = tables.get(name)
        if table is None:
            if not need.optional:
                sentence = f"{database}: the table {name} is missing; {_MIGRATE}."
                yield SchemaProblem(database, name, None, sentence, need.holds_up_runs)
            continue
        if need.optional and not may_read(table, need):
            continue
        differences = [*_column_differences(table, need), *_key_differences(table, need)]
        if not need.optional:
            differences += access_differences(connection, table, need)
        for column, sentence in differences:
            yield SchemaProblem(database, name, column, f"{database}: {sentence}.", need.holds_up_runs)


def _tables(connection: psycopg.Connection[Any], names: Sequence[str]) -> dict[str, Table]:
    """The tables that exist."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_TABLES, (names,)).fetchall()
        oids = [row["oid"] for row in found]
        columns = cursor.execute(_COLUMNS, (oids,)).fetchall()
        indexes = cursor.execute(_INDEXES, (oids,)).fetchall()
        policies = cursor.execute(POLICIES, (oids,)).fetchall()
    return {
        row["name"]: Table(
            oid=row["oid"],
            name=row["name"],
            granted=row["granted"],
            rows_hidden=row["rows_hidden"],
            columns={column["name"]: column for column in columns if column["oid"] == row["oid"]},
            indexes=[index for index in indexes if index["oid"] == row["oid"]],
            policies=[policy for policy in policies if policy["oid"] == row["oid"]],
        )
        for row in found
    }


def _referring(connection: psycopg.Connection[Any], oids: Sequence[int]) -> list[str]:
    return [name for (name,) in connection.execute(_REFERRING, (oids,))]


def _column_differences(table: Table, need: TableNeeds) -> Iterator[tuple[str, str]]:
    for column, family in need.columns.items():
        if column not in table.columns:
            what_to_do = _MIGRATE if column in need.added else f"add it as {family}, or rename it back"
            yield column, f"the column {table.name}.{column} is missing; {what_to_do}"
        elif (found := table.columns[column]["type"]) not in _FAMILIES[family]:
            yield (
                column,
                f"the column {table.name}.{column} is {found} but the pipeline needs {family}; change its type, "
                "or the one module that uses the table (docs/schema.md, Existing installations)",
            )
    if "insert" in need.privileges:
        yield from _columns_that_must_be_given(table, need)


def _columns_that_must_be_given(table: Table, need: TableNeeds) -> Iterator[tuple[str, str]]:
    for column, row in table.columns.items():
        if row["must_be_given"] and column in need.made_there:
            yield column, f"the column {table.name}.{column} has no default; give it one"
        elif row["must_be_given"] and column not in need.columns:
            yield (
                column,
                f"the column {table.name}.{column} is required and the pipeline does not know it; "
                "make it nullable, or give it a default if it is in no key (docs/schema.md, Existing installations)",
            )


def _key_differences(table: Table, need: TableNeeds) -> Iterator[tuple[str | None, str]]:
    sound = [row for row in table.indexes if row["is_valid"]]
    for key in need.keys:
        if not any(
            row["is_unique"] and row["whole"] and sorted(row["columns"] or ()) == sorted(key) for row in sound
        ):
            columns = ", ".join(key)
            yield (
                key[0] if len(key) == 1 else None,
                f"{table.name} has no unique key on ({columns}); "
                f"remove duplicates if there are any and create one: create unique index on {table.name} ({columns})",
            )
    for index in need.indexes:
        if not any(row["name"] == index for row in sound):
            yield None, f"the index {index} on {table.name} is missing or unfinished; {_MIGRATE}"
