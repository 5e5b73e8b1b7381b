"""Which migrations a database has had: our own table, and the tables in which former releases recorded them.

Nothing is applied here. Former releases recorded their versions in Supabase's own table, where they make the owner's
`supabase db push` refuse ("Remote migration versions not found in local migrations directory"); dbmate, run without
our command, fills its default table. `adopt` copies our versions from both, and changes neither.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations.files import MigrationFile

SCHEMA = "entity_pipeline"
HISTORY_TABLE = f"{SCHEMA}.schema_migrations"
SUPABASE_TABLE = "supabase_migrations.schema_migrations"
DBMATE_TABLE = "public.schema_migrations"
# An error of PostgreSQL names the constraint: for a former release it is the whole explanation.
GUARD = "entity_pipeline_migrates_from_its_own_history"

# In the catalog: `to_regclass` fails where the schema may not be used.
_TABLE = """
select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'),
  exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'name' and not a.attisdropped)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v')
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'version' and not a.attisdropped)
"""
_RECORDED = "select version::text, {} from {} where version::text = any(%s)"
_CREATE = "create table if not exists {} (version varchar(128) primary key)"
_COPY = "insert into {} (version) select unnest(%s::text[]) on conflict do nothing"
_REMOVE = "delete from {} where version = any(%s) and {} returning version"
_SCHEMA_EXISTS = "select exists (select from pg_namespace where nspname = %s)"
_GUARD_EXISTS = "select exists (select from pg_constraint where conname = %s and conrelid = %s::regclass)"
_ADD_GUARD = "alter table {} add constraint {} check (not ({}) or version <> all (array[{}])) not valid"


@dataclass(frozen=True, slots=True)
class _Table:
    """A history table that exists, and what this role can learn from it."""

    name: str
    is_readable: bool
    has_names: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))


def pending_files(connection: psycopg.Connection, files: Sequence[MigrationFile]) -> list[MigrationFile]:
    """The files that no history of this database has.

    Raises:
        ConfigurationFailure: a former release may have recorded its files where this role can't read them.
    """
    _refuse_to_guess(connection)
    tables = [_table(connection, name) for name in (HISTORY_TABLE, SUPABASE_TABLE, DBMATE_TABLE)]
    recorded = {version for table in tables for version in _recorded(connection, table, files)}
    return [file for file in files if file.version not in recorded]


def versions_elsewhere(
    connection: psycopg.Connection, files: Sequence[MigrationFile]
) -> dict[str, list[str]]:
    """By table, the versions of these files that are recorded there and not in our own table."""
    own = _recorded(connection, _table(connection, HISTORY_TABLE), files)
    found = {
        name: sorted(_recorded(connection, _table(connection, name), files) - own)
        for name in (SUPABASE_TABLE, DBMATE_TABLE)
    }
    return {name: versions for name, versions in found.items() if versions}


def may_read_history(connection: psycopg.Connection) -> bool:
    """Whether this role can see which files were applied; also true if there is no history yet."""
    own, supabase = _table(connection, HISTORY_TABLE), _table(connection, SUPABASE_TABLE)
    if own is not None:
        return own.is_readable
    return supabase is None or supabase.is_readable


def adopt(connection: psycopg.Connection, files: Sequence[MigrationFile]) -> dict[str, list[str]]:
    """Create our history table if it is missing, and copy to it what `versions_elsewhere` finds; returns that.

    One transaction, so a process that is killed leaves all of it or nothing.

    Raises:
        ConfigurationFailure: this role may not create the schema, or can't read what a former release recorded.
    """
    _refuse_to_guess(connection)
    table = sql.Identifier(*HISTORY_TABLE.split("."))
    with connection.transaction():
        # `if not exists` would require the right to create schemas even if the schema exists.
        if connection.execute(_SCHEMA_EXISTS, [SCHEMA]).fetchone() != (True,):
            _create_schema(connection)
        if _table(connection, HISTORY_TABLE) is None:
            connection.execute(sql.SQL(_CREATE).format(table))
        copied = versions_elsewhere(connection, files)
        for versions in copied.values():
            connection.execute(sql.SQL(_COPY).format(table), [versions])
    return copied


def record(connection: psycopg.Connection, file: MigrationFile) -> None:
    """Note in our table that a file was applied."""
    table = sql.Identifier(*HISTORY_TABLE.split("."))
    connection.execute(sql.SQL(_COPY).format(table), [[file.version]])


def foreign_versions(connection: psycopg.Connection, files: Iterable[MigrationFile]) -> list[str]:
    """The versions of these files that former releases recorded in Supabase's own table.

    A row with a name was written by Supabase's command from a file of the owner, and belongs to the owner.
    """
    table = _table(connection, SUPABASE_TABLE)
    if table is None or not table.is_readable:
        return []
    query = sql.SQL("select version from {} where version = any(%s) and {} order by 1")
    versions = [file.version for file in files]
    rows = connection.execute(query.format(table.identifier, _is_nameless(table)), [versions])
    return [version for (version,) in rows]


def remove_foreign_versions(connection: psycopg.Connection, files: Sequence[MigrationFile]) -> list[str]:
    """Delete what `foreign_versions` lists from Supabase's table; returns what was deleted.

    In the same transaction the table gets a check (`GUARD`) that refuses these versions without a name: a process of
    a former release would otherwise find all its files pending and apply them again.
    """
    table = _table(connection, SUPABASE_TABLE)
    if table is None:
        return []
    versions = [file.version for file in files]
    nameless = _is_nameless(table)
    with connection.transaction():
        connection.execute("set local lock_timeout = '5s'")
        if connection.execute(_GUARD_EXISTS, [_guard(files), SUPABASE_TABLE]).fetchone() != (True,):
            literals = sql.SQL(", ").join(map(sql.Literal, versions))
            guard = sql.SQL(_ADD_GUARD)
            connection.execute(
                guard.format(table.identifier, sql.Identifier(_guard(files)), nameless, literals)
            )
        rows = connection.execute(sql.SQL(_REMOVE).format(table.identifier, nameless), [versions]).fetchall()
    return sorted(version for (version,) in rows)


def _guard(files: Sequence[MigrationFile]) -> str:
    """The name of the check: one for each folder, because both may be in one database."""
    return f"{GUARD}_{files[0].database}"


def _is_nameless(table: _Table) -> sql.Composable:
    return sql.SQL("coalesce(name, '') = ''" if table.has_names else "true")


def _table(connection: psycopg.Connection, name: str) -> _Table | None:
    row = connection.execute(_TABLE, name.split(".")).fetchone()
    return _Table(name, *row) if row else None


def _recorded(
    connection: psycopg.Connection, table: _Table | None, files: Iterable[MigrationFile]
) -> set[str]:
    """Versions of the files in this table; a version with the name of another file belongs to another project."""
    if table is None or not table.is_readable:
        return set()
    names = {file.version: file.title for file in files}
    file_name = sql.SQL("coalesce(name, '')" if table.has_names else "''")
    query = sql.SQL(_RECORDED).format(file_name, table.identifier)
    rows = connection.execute(query, [list(names)]).fetchall()
    return {version for version, name in rows if name in ("", names[version])}


def _refuse_to_guess(connection: psycopg.Connection) -> None:
    """Raise if the history is unknown: without one of our own, an unreadable former one could have any of our files."""
    former = _table(connection, SUPABASE_TABLE)
    if former is None or former.is_readable or _table(connection, HISTORY_TABLE) is not None:
        return
    raise ConfigurationFailure(
        f"This role may not read {SUPABASE_TABLE}, where a former release may have recorded its migrations, so it "
        "is unknown which were applied: run `entity-pipeline migrate` as the role that ran it before (on "
        f"Supabase: postgres), or grant it usage on the schema and select on the table. Nothing was changed."
    )


def _create_schema(connection: psycopg.Connection) -> None:
    try:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCHEMA)))
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigurationFailure(
            f"The history of migrations is kept in a schema of its own, {SCHEMA}, and the role "
            f"{connection.info.user} may not create one in the database {connection.info.dbname}: run "
            "`entity-pipeline migrate` as the owner of the database (on Supabase: postgres), or let that owner run "
            f"`create schema {SCHEMA} authorization {connection.info.user}` first. Nothing was changed."
        ) from None
