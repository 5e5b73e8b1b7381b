"""`migrate --plan`: what the pending files would do to the existing tables, and what their locks would block.

The files really run, on empty copies of the tables in a schema that is rolled back, so that the plan is true for the
columns of this database. The tables themselves are only read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations.files import Database, MigrationFile, files_of, statements
from entity_pipeline.migrations.history import foreign_versions, pending_files, versions_elsewhere
from entity_pipeline.migrations.indexes import lost_indexes, unfinished_indexes
from entity_pipeline.migrations.targets import Target

SCRATCH = "entity_pipeline_plan"

# From weak to strong, with what they block.
LOCKS: Mapping[str, str] = {
    "ROW SHARE": "only writers of these rows wait",
    "SHARE UPDATE EXCLUSIVE": "neither readers nor writers wait",
    "SHARE": "writers wait, readers do not",
    "SHARE ROW EXCLUSIVE": "writers wait, readers do not",
    "ACCESS EXCLUSIVE": "readers and writers wait",
}
_STRENGTH = list(LOCKS)

_TABLES = """
select c.relname, c.relkind::text, c.reltuples::bigint, pg_size_pretty(pg_total_relation_size(c.oid))
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
  and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
_INDEXES = """
select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class t on t.oid = i.indrelid
where t.relnamespace = 'public'::regnamespace and t.relname = any(%s) and i.indisvalid
"""
_FUNCTIONS = """
select pg_get_functiondef(p.oid) from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proname like 'entity\\_pipeline\\_%' and p.prokind = 'f'
"""

# What a statement can change in a table: kind, table, name, definition.
_STATE = """
with tables as (
  select oid, relname::text as name, relfilenode from pg_class
  where relnamespace = %s::regnamespace and relkind = 'r'
)
select 'file', name, name, relfilenode::text from tables
union all
select 'column', t.name, a.attname::text, concat(format_type(a.atttypid, a.atttypmod), a.attnotnull,
  pg_get_expr(d.adbin, d.adrelid))
from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
union all
select 'index', t.name, c.relname::text, '' from tables t join pg_index i on i.indrelid = t.oid
join pg_class c on c.oid = i.indexrelid
union all
select 'check', t.name, k.conname::text, k.convalidated::text
from tables t join pg_constraint k on k.conrelid = t.oid and k.contype = 'c'
union all
select 'reference', f.name, k.conname::text, t.name
from pg_constraint k join tables f on f.oid = k.confrelid join tables t on t.oid = k.conrelid
where k.contype = 'f'
union all
select 'trigger', t.name, g.tgname::text, '' from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
"""

_ALTER = re.compile(r"alter table public\.(\w+)")
_INDEX = re.compile(r"create (?:unique )?index (?:concurrently )?if not exists (\w+)\s+on public\.(\w+)")
_DROP_TRIGGER = re.compile(r"drop trigger if exists (\w+) on public\.(\w+)")
_NOTHING = "finds nothing to do"
_IN_BATCHES = re.compile(r"^\s*commit;\n", re.MULTILINE)

_State = frozenset[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """An existing table; `rows` is PostgreSQL's estimate, None before the first one."""

    name: str
    rows: int | None
    size: str

    def __str__(self) -> str:
        rows = "not counted yet" if self.rows is None else f"about {self.rows:,} rows"
        return f"{self.name} ({rows}, {self.size})"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one statement does to one existing table."""

    table: Table
    lock: str
    does: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}: {self.lock}, {LOCKS[self.lock]}; {'; '.join(self.does)}"


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement of the file with its effects on existing tables; new, empty tables are left out."""

    sql: str
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class PlannedHistory:
    """The fate of former releases' records: `copied` by table, and versions that may be removed from Supabase's."""

    database: Database
    copied: Mapping[str, Sequence[str]]
    foreign: Sequence[str]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that would be applied."""

    file: MigrationFile
    statements: tuple[PlannedStatement, ...]


def plan(assets_url: str, operation_url: str) -> list[PlannedFile]:
    """What `migrate` would do now, in order. Changes nothing, and takes no lock that blocks readers or writers.

    Raises:
        ConfigurationFailure: the role may not create a schema, or a table is something else.
        DatabaseUnavailable: a database can't be reached.
    """
    return [planned for target in _targets(assets_url, operation_url) for planned in _plan(target)]


def repairs(assets_url: str, operation_url: str) -> list[str]:
    """Indexes of applied files that are unfinished or missing, which `migrate` would build again."""
    found: list[str] = []
    for target in _targets(assets_url, operation_url):
        with target.connect() as connection:
            files = files_of(target.name)
            pending = pending_files(connection, files)
            found += [name for _, name in unfinished_indexes(connection)]
            found += [
                str(file.concurrent_index) for file in lost_indexes(connection, files) if file not in pending
            ]
    return found


def histories(assets_url: str, operation_url: str) -> list[PlannedHistory]:
    """For each database, what `migrate` would copy to our history and `--remove-foreign-history` would remove."""
    found = []
    for target in _targets(assets_url, operation_url):
        with target.connect() as connection:
            files = files_of(target.name)
            copied = versions_elsewhere(connection, files)
            found.append(PlannedHistory(target.name, copied, foreign_versions(connection, files)))
    return found


def _targets(assets_url: str, operation_url: str) -> tuple[Target, Target]:
    return Target("assets", assets_url), Target("operation", operation_url)


def _plan(target: Target) -> list[PlannedFile]:
    with target.connect() as connection:
        try:
            files = pending_files(connection, files_of(target.name))
            with connection.transaction(force_rollback=True):
                tables = _copy_tables(target, connection, files)
                return [_planned(connection, file, tables) for file in files]
        except psycopg.Error as error:
            raise target.failure("was not examined", str(error)) from None


def _copy_tables(
    target: Target, connection: psycopg.Connection, files: list[MigrationFile]
) -> Mapping[str, Table]:
    """Empty copies of the tables that the files name, with our functions, in the schema `SCRATCH`."""
    connection.execute(f"create schema {SCRATCH}")
    named = {name for file in files for name in re.findall(r"public\.(\w+)", file.sql)}
    tables: dict[str, Table] = {}
    for name, kind, rows, size in connection.execute(_TABLES, [list(named)]).fetchall():
        if kind not in ("r", "p"):
            raise ConfigurationFailure(
                f"{target.name}: {name} is not an ordinary table, and the migrations would change it: rename it, or "
                "replace it with a table of this name."
            )
        tables[name] = Table(name, None if rows < 0 else rows, size)
        connection.execute(
            sql.SQL(
                "create table {} (like {} including defaults including constraints including generated "
                "including identity)"
            ).format(sql.Identifier(SCRATCH, name), sql.Identifier("public", name))
        )
    for query in (connection.execute(_FUNCTIONS), connection.execute(_INDEXES, [list(tables)])):
        for (definition,) in query.fetchall():
            connection.execute(_in_scratch(definition))
    return tables


def _planned(connection: psycopg.Connection, file: MigrationFile, tables: Mapping[str, Table]) -> PlannedFile:
    planned = []
    for statement in statements(file.sql):
        before = _state(connection)
        connection.execute(_in_scratch(statement))
        effects = _effects(statement, before, _state(connection), tables)
        planned.append(PlannedStatement(statement, tuple(effects)))
    return PlannedFile(file, tuple(planned))


def _in_scratch(statement: str) -> bytes:
    """The statement for the copies, in a form that can run inside a transaction."""
    text = statement.replace("public.", f"{SCRATCH}.").replace(" concurrently", "")
    return _IN_BATCHES.sub("", text).encode()


def _state(connection: psycopg.Connection) -> _State:
    return frozenset(connection.execute(_STATE, [SCRATCH]).fetchall())


def _effects(statement: str, before: _State, after: _State, tables: Mapping[str, Table]) -> Iterator[Effect]:
    locks: dict[str, list[str]] = {}
    does: dict[str, dict[str, list[str]]] = {}
    for table, lock, what, name in [*_by_change(statement, before, after), *_by_text(statement)]:
        if table in tables and not (what == _NOTHING and table in does):
            locks.setdefault(table, []).append(lock)
            does.setdefault(table, {}).setdefault(what, []).append(name)
    for table, done in does.items():
        described = tuple(f"{what} {', '.join(names)}".strip() for what, names in done.items())
        yield Effect(tables[table], max(locks[table], key=_STRENGTH.index), described)


def _by_text(statement: str) -> Iterator[tuple[str, str, str, str]]:
    """Statements that take their lock even if there is nothing to do; a `do` block checks that first."""
    if found := _ALTER.match(statement):
        yield found[1], "ACCESS EXCLUSIVE", _NOTHING, ""
    if found := _INDEX.match(statement):
        yield found[2], _index_lock(statement), _NOTHING, ""
    if found := _DROP_TRIGGER.match(statement):
        # The copies have no triggers.
        yield found[2], "ACCESS EXCLUSIVE", "removes the trigger", found[1]
    if _IN_BATCHES.search(statement):
        for name in sorted(set(re.findall(r"from public\.(\w+)", statement))):
            yield name, "ROW SHARE", "reads every row and locks 1,000 at a time, in short transactions", ""


def _by_change(statement: str, before: _State, after: _State) -> Iterator[tuple[str, str, str, str]]:
    was = {(kind, table, name): how for kind, table, name, how in before}
    gone = {table for kind, table, *_ in before if kind == "file"}
    for table in sorted(gone - {table for kind, table, *_ in after if kind == "file"}):
        yield table, "ACCESS EXCLUSIVE", "removes the table", ""
    for kind, table, name, how in sorted(after - before):
        is_new = (kind, table, name) not in was
        if kind == "file" and not is_new:
            yield table, "ACCESS EXCLUSIVE", "rewrites every row", ""
        elif kind == "column" and is_new:
            yield table, "ACCESS EXCLUSIVE", "adds without writing rows: column", name
        elif kind == "column":
            yield table, "ACCESS EXCLUSIVE", "changes the column", name
        elif kind == "check" and how == "true":
            lock = "ACCESS EXCLUSIVE" if is_new else "SHARE UPDATE EXCLUSIVE"
            yield table, lock, "reads every row for the check", name
        elif kind == "check":
            yield table, "ACCESS EXCLUSIVE", "adds for new rows the check", name
        elif kind == "index":
            yield table, _index_lock(statement), "reads every row for the index", name
        elif kind == "reference":
            yield table, "SHARE ROW EXCLUSIVE", "is referred to by the table", how
        elif kind == "trigger":
            yield table, "SHARE ROW EXCLUSIVE", "adds the trigger", name


def _index_lock(statement: str) -> str:
    return "SHARE UPDATE EXCLUSIVE" if "concurrently" in statement else "SHARE"
