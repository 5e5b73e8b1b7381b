"""In the operation database we have only columns, indexes and one function (decision 12)."""

from collections.abc import Iterator

import psycopg
import pytest

from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.files import files_of
from entity_pipeline.migrations.plan import plan
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.former_release import migrate_as_first_release
from entity_pipeline_tests.migrations.older_installation import older_installation
from entity_pipeline_tests.migrations.production import Production, production

_KEPT = """
select 'table', relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
union all
select 'trigger', tgname::text from pg_trigger where not tgisinternal
"""
_FUNCTIONS = r"select proname from pg_proc where proname like 'entity\_pipeline\_%'"


def kept(url: str) -> set[tuple[str, str]]:
    """Tables and triggers of the database, as the server's own role sees them."""
    with psycopg.connect(url) as connection:
        return set(connection.execute(_KEPT).fetchall())


def functions(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(_FUNCTIONS.encode())}


def as_first_release(assets: str, operation: str) -> None:
    assert migrate_as_first_release(assets, "assets") == ""
    assert migrate_as_first_release(operation, "operation") == ""


@pytest.fixture
def theirs(database_server: DatabaseServer) -> Iterator[Production]:
    with production(database_server) as made:
        yield made


def test_a_catalog_of_others_gets_no_table_and_no_trigger(theirs: Production) -> None:
    before = kept(theirs.superuser["operation"])
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    assert kept(theirs.superuser["operation"]) == before
    assert functions(theirs.superuser["operation"]) == {
        "entity_pipeline_name_key",
        "entity_pipeline_normalise_name",
    }


def test_the_tables_and_triggers_of_the_former_release_are_gone(theirs: Production) -> None:
    before = kept(theirs.superuser["operation"])
    as_first_release(theirs.owner["assets"], theirs.owner["operation"])
    ours = {name for _, name in kept(theirs.superuser["operation"]) - before}
    assert {"enrichment_queue", "intake_days", "entity_pipeline_queue_insert"} <= ours
    files = plan(theirs.owner["assets"], theirs.owner["operation"])
    planned = {str(effect) for file in files for statement in file.statements for effect in statement.effects}
    dropping = [said for said in planned if "removes the trigger entity_pipeline_queue_insert" in said]
    assert "ACCESS EXCLUSIVE" in dropping[0]
    assert any(said.startswith("intake_days") and "removes the table" in said for said in planned)
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    assert kept(theirs.superuser["operation"]) == before
    assert functions(theirs.superuser["operation"]) == {
        "entity_pipeline_name_key",
        "entity_pipeline_normalise_name",
    }
    assert migrate(theirs.owner["assets"], theirs.owner["operation"]) == []


def test_an_empty_server_gets_the_catalog_as_production_has_it_and_nothing_more(
    database_server: DatabaseServer,
) -> None:
    with database_server.empty() as assets, database_server.empty() as operation:
        migrate(assets, operation)
        tables = {name for kind, name in kept(operation) if kind == "table"}
        triggers = {name for kind, name in kept(operation) if kind == "trigger"}
    assert tables == {"instagram_accounts", "artists", "brands", "groups", "group_members", "admin_audit_log"}
    # Production's own, which touches updated_at, under our name for want of another.
    assert triggers == {"entity_pipeline_touch_updated_at"}


def test_where_both_databases_are_one_the_list_stays(database_server: DatabaseServer) -> None:
    with database_server.empty() as url:
        as_first_release(url, url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("insert into instagram_accounts (username) values ('acme')")
        migrate(url, url)
        with psycopg.connect(url) as connection:
            listed = connection.execute("select handle, waits_for_picture from enrichment_queue").fetchall()
        assert listed == [("acme", False)]
        assert ("table", "intake_days") in kept(url)
        assert not {name for kind, name in kept(url) if kind == "trigger" and "queue" in name}
        assert migrate(url, url) == []


def test_a_migration_that_was_interrupted_goes_on(database_server: DatabaseServer) -> None:
    with older_installation(database_server) as urls:
        as_first_release(*urls)
        triggers = next(
            file for file in files_of("operation") if file.path.stem.endswith("drop_queue_triggers")
        )
        with psycopg.connect(urls[1], autocommit=True) as connection:
            # Killed after the triggers were dropped, and before that was written down.
            connection.execute(triggers.sql.encode())
            connection.execute("insert into instagram_accounts (username) values ('meanwhile')")
        assert triggers.name in migrate(*urls)
        assert ("table", "enrichment_queue") not in kept(urls[1])
        with psycopg.connect(urls[1]) as connection:
            assert connection.execute(
                "select count(*) from instagram_accounts where username = 'meanwhile'"
            ).fetchone() == (1,)
