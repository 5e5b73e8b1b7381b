"""`migrate --plan` says of each file what the file then does."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.files import files_of, statements
from entity_pipeline.migrations.plan import LOCKS, PlannedFile, plan
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.older_installation import older_installation
from entity_pipeline_tests.migrations.production import production, rows

_HELD = """
select c.relname, l.mode from pg_locks l join pg_class c on c.oid = l.relation
where l.pid = pg_backend_pid() and c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
"""
_STRONG = [lock for lock in LOCKS if lock != "ROW SHARE"]


@pytest.fixture
def older(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    with older_installation(database_server) as urls:
        yield urls


def planned_locks(planned: PlannedFile) -> dict[str, str]:
    """The strongest lock by table."""
    found: dict[str, str] = {}
    for effect in (effect for statement in planned.statements for effect in statement.effects):
        locks = [effect.lock, found.get(effect.table.name, _STRONG[0])]
        found[effect.table.name] = max(locks, key=_STRONG.index)
    return found


def tables(connection: psycopg.Connection) -> set[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    return {name for (name,) in connection.execute(query)}


def test_every_file_takes_the_locks_that_the_plan_names_and_no_stronger_one(older: tuple[str, str]) -> None:
    files = plan(*older)
    assert len(files) == len(files_of("assets")) + len(files_of("operation"))
    before = {}
    for url, database in zip(older, ("assets", "operation"), strict=True):
        with psycopg.connect(url, autocommit=True) as connection:
            before[database] = tables(connection)
            for planned in files:
                if planned.file.database != database:
                    continue
                if not planned.file.in_one_transaction:
                    connection.execute(planned.file.sql.encode())
                    continue
                with connection.transaction():
                    connection.execute(planned.file.sql.encode())
                    held: dict[str, str] = {}
                    for table, mode in connection.execute(_HELD).fetchall():
                        lock = re.sub(r"(?<!^)([A-Z])", r" \1", mode.removesuffix("Lock")).upper()
                        if lock in _STRONG and table in before[database]:
                            held[table] = max([lock, held.get(table, _STRONG[0])], key=_STRONG.index)
                assert planned_locks(planned) == held, planned.file.name


def test_an_index_on_an_existing_table_is_built_concurrently(older: tuple[str, str]) -> None:
    on_large_tables = [
        (planned.file.name, effect.lock)
        for planned in plan(*older)
        for statement in planned.statements
        for effect in statement.effects
        if any("for the index entity_pipeline" in what for what in effect.does)
        and effect.table.name != "gemini_spend_daily"
    ]
    assert len(on_large_tables) == 33
    assert {lock for _, lock in on_large_tables} == {"SHARE UPDATE EXCLUSIVE"}


def test_the_plan_waits_for_no_lock_and_changes_nothing(database_server: DatabaseServer) -> None:
    with production(database_server) as theirs:
        before = rows(theirs.owner)
        with (
            psycopg.connect(theirs.owner["assets"]) as one,
            psycopg.connect(theirs.owner["operation"]) as other,
        ):
            one.execute("update raw_posts set caption = 'x'; update gemini_usage_events set step = 'x'")
            other.execute("update instagram_accounts set bio = 'x'; update brands set name_en = 'x'")
            files = plan(theirs.owner["assets"], theirs.owner["operation"])
            for connection in (one, other):
                connection.rollback()
                found = connection.execute("select to_regnamespace('entity_pipeline_plan')").fetchone()
                assert found == (None,)
        said = [str(effect) for file in files for planned in file.statements for effect in planned.effects]
        assert any(
            re.match(r"raw_posts \(about 20,000 rows, \d+ [kM]B\): SHARE UPDATE EXCLUSIVE, neither", one)
            for one in said
        )
        assert rows(theirs.owner) == before


def test_databases_that_are_up_to_date_have_no_plan(older: tuple[str, str]) -> None:
    migrate(*older)
    assert plan(*older) == []


# What these made was dropped again by later files.
_UNDONE = ("20260101001200", "20260101001210", "20260101001220", "20260101001230", "20260101001240")


@pytest.mark.parametrize(
    "version", [file.version for file in files_of("operation") if file.version not in _UNDONE]
)
def test_a_file_that_alone_is_pending_finds_what_the_others_made(
    older: tuple[str, str], version: str
) -> None:
    migrate(*older)
    with psycopg.connect(older[1], autocommit=True) as connection:
        connection.execute("delete from entity_pipeline.schema_migrations where version = %s", [version])
    [planned] = plan(*older)
    assert planned.file.version == version
    done = [what for statement in planned.statements for effect in statement.effects for what in effect.does]
    assert not [what for what in done if "adds" in what or "for the index" in what]


def test_a_view_in_the_place_of_a_table_is_named(older: tuple[str, str]) -> None:
    with psycopg.connect(older[1], autocommit=True) as connection:
        connection.execute("alter table brands rename to labels; create view brands as select * from labels")
    with pytest.raises(ConfigurationFailure, match="operation: brands is not an ordinary table"):
        plan(*older)


def test_a_semicolon_in_a_text_a_body_or_a_comment_ends_no_statement() -> None:
    text = "-- a; b\nselect 'x;y' - 1;\ndo $$ begin; end $$;\nselect $a$;$$;$a$"
    assert list(statements(text)) == ["select 'x;y' - 1", "do $$ begin; end $$", "select $a$;$$;$a$"]


def test_the_function_is_the_same_in_both_migrations(older: tuple[str, str]) -> None:
    by_number = {planned.file.version: planned.file.sql for planned in plan(*older)}
    body = re.compile(r"create or replace function.*?\$function\$;", re.DOTALL)
    early, late = (body.findall(by_number[number]) for number in ("20260101001011", "20260101001020"))
    assert early == late
    assert len(early) == 1
