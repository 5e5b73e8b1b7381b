"""The history of migrations is ours, and what former releases recorded in Supabase's is taken over once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, get_args
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations import migrate, remove_foreign_history
from entity_pipeline.migrations.files import Database, files_of
from entity_pipeline.migrations.history import (
    DBMATE_TABLE,
    GUARD,
    HISTORY_TABLE,
    SUPABASE_TABLE,
    may_read_history,
    pending_files,
)
from entity_pipeline.migrations.plan import histories, plan
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.former_release import (
    first_files,
    later_names,
    migrate_as_first_release,
)

Urls = tuple[str, str]
_DATABASES: tuple[Database, ...] = get_args(Database)
_SUPABASE = (
    "create schema supabase_migrations; create table supabase_migrations.schema_migrations "
    "(version text not null primary key, statements text[], name text)"
)
_THEIRS = ("20250311090000", "collector")
# Everything in `public` by its oid: a recreated object has another one.
_SHAPE = """
select c.relkind::text, c.relname::text, c.oid::bigint from pg_class c
where c.relnamespace = 'public'::regnamespace
union all select 'trigger', tgname::text, oid::bigint from pg_trigger
union all select 'function', proname::text, oid::bigint from pg_proc where pronamespace = 'public'::regnamespace
order by 1, 2, 3
"""


@pytest.fixture
def empty_pair(database_server: DatabaseServer) -> Iterator[Urls]:
    with database_server.empty() as assets, database_server.empty() as operation:
        yield assets, operation


@pytest.fixture
def former(empty_pair: Urls) -> Urls:
    """Both databases of a Supabase project as the first release left them."""
    for url, database in zip(empty_pair, _DATABASES, strict=True):
        execute(url, _SUPABASE)
        execute(
            url, "insert into supabase_migrations.schema_migrations (version, name) values (%s, %s)", *_THEIRS
        )
        assert migrate_as_first_release(url, database) == ""
    return empty_pair


def execute(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def recorded(url: str, table: str = HISTORY_TABLE) -> list[str]:
    return [version for (version,) in execute(url, f"select version::text from {table} order by 1")]


def versions(database: Database) -> list[str]:
    return [file.version for file in files_of(database)]


def first_versions(database: Database) -> list[str]:
    return [file.version for file in first_files(database)]


@contextmanager
def role(server: DatabaseServer, url: str, *statements: str) -> Iterator[str]:
    """The address of the database as a role with only these rights; `{}` in a statement is its name."""
    name = f"limited_{os.urandom(6).hex()}"
    execute(server.url("postgres"), f"create role {name} login password 'made-up-secret'")
    try:
        for statement in statements:
            execute(url, statement.format(name))
        parts = urlsplit(url)
        yield urlunsplit(parts._replace(netloc=f"{name}:made-up-secret@{parts.netloc.rpartition('@')[2]}"))
    finally:
        execute(url, f"drop owned by {name} cascade")
        execute(server.url("postgres"), f"drop role {name}")


def test_an_empty_installation_has_nothing_in_the_table_of_supabase(empty_pair: Urls) -> None:
    migrate(*empty_pair)
    for url, database in zip(empty_pair, _DATABASES, strict=True):
        assert recorded(url) == versions(database)
        assert execute(url, "select to_regnamespace('supabase_migrations')") == [(None,)]


def test_the_schema_of_ours_holds_the_history_and_nothing_else(empty_pair: Urls) -> None:
    migrate(*empty_pair)
    for url in empty_pair:
        held = execute(
            url,
            "select relname::text, relkind::text from pg_class "
            "where relnamespace = 'entity_pipeline'::regnamespace and relkind not in ('i', 't')",
        )
        assert held == [("schema_migrations", "r")]
        assert execute(url, "select from pg_proc where pronamespace = 'entity_pipeline'::regnamespace") == []


def test_an_older_installation_runs_no_file_again_and_keeps_the_history_of_others(former: Urls) -> None:
    said: list[str] = []
    assert migrate(*former, say=said.append) == later_names()
    for url, database in zip(former, _DATABASES, strict=True):
        assert recorded(url) == versions(database)
        assert recorded(url, SUPABASE_TABLE) == sorted([_THEIRS[0], *first_versions(database)])
        count = len(first_files(database))
        assert f"copied {count} versions of {database} from {SUPABASE_TABLE} to {HISTORY_TABLE}" in said
    said.clear()
    assert migrate(*former, say=said.append) == []
    assert said == []


def test_what_dbmate_recorded_in_its_default_table_is_copied_as_well(empty_pair: Urls) -> None:
    for url, database in zip(empty_pair, _DATABASES, strict=True):
        assert migrate_as_first_release(url, database, table=DBMATE_TABLE) == ""
    assert migrate(*empty_pair) == later_names()
    assert recorded(empty_pair[1], DBMATE_TABLE) == first_versions("operation")


def test_what_two_releases_recorded_in_two_tables_is_put_together(empty_pair: Urls) -> None:
    files = first_files("assets")
    migrate_as_first_release(empty_pair[0], "assets", table=DBMATE_TABLE, files=files[:5])
    migrate_as_first_release(empty_pair[0], "assets", files=files)
    execute(
        empty_pair[0],
        "delete from supabase_migrations.schema_migrations where version <= %s",
        files[4].version,
    )
    applied = migrate(*empty_pair)
    assert [name for name in applied if name.startswith("assets/20260101")] == []
    assert recorded(empty_pair[0]) == versions("assets")


def test_a_number_of_another_project_is_not_taken_for_ours(empty_pair: Urls) -> None:
    """It is recognised by its name where Supabase's command recorded it, and in other tables by its version."""
    taken = files_of("assets")[0]
    execute(empty_pair[0], _SUPABASE)
    execute(
        empty_pair[0],
        "insert into supabase_migrations.schema_migrations (version, name) values (%s, 'of_theirs')",
        taken.version,
    )
    execute(empty_pair[0], "create table public.schema_migrations (version bigint, dirty boolean)")
    execute(empty_pair[0], "insert into public.schema_migrations values (7, false)")
    execute(empty_pair[1], "create table public.schema_migrations (id int)")
    assert taken.name in migrate(*empty_pair)


def test_a_file_that_the_owner_pushed_by_supabase_under_its_name_is_not_applied_again(
    empty_pair: Urls,
) -> None:
    migrate_as_first_release(empty_pair[0], "assets")
    execute(empty_pair[0], "alter table supabase_migrations.schema_migrations add column name text")
    for file in first_files("assets"):
        execute(
            empty_pair[0],
            "update supabase_migrations.schema_migrations set name = %s where version = %s",
            file.title,
            file.version,
        )
    assert not [name for name in migrate(*empty_pair) if name.startswith("assets/20260101")]
    assert remove_foreign_history(*empty_pair)["assets"] == []
    assert recorded(empty_pair[0], SUPABASE_TABLE) == first_versions("assets")


def test_the_plan_names_what_is_copied_and_removed_and_changes_nothing(former: Urls) -> None:
    assert [planned.file.name for planned in plan(*former)] == later_names()
    for planned, url in zip(histories(*former), former, strict=True):
        assert planned.copied == {SUPABASE_TABLE: first_versions(planned.database)}
        assert planned.foreign == first_versions(planned.database)
        assert execute(url, "select to_regnamespace('entity_pipeline')") == [(None,)]
    migrate(*former)
    assert [planned.copied for planned in histories(*former)] == [{}, {}]
    remove_foreign_history(*former)
    assert [planned.foreign for planned in histories(*former)] == [[], []]


def test_four_processes_at_once_copy_once_and_run_nothing_twice(former: Urls) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: migrate(*former, say=said.append), range(4)))
    assert sorted(name for run in runs for name in run) == sorted(later_names())
    assert len([sentence for sentence in said if sentence.startswith("copied")]) == 2
    for url, database in zip(former, _DATABASES, strict=True):
        assert recorded(url) == versions(database)


@pytest.mark.parametrize(
    ("dies", "has_copy"),
    [
        ("history.versions_elsewhere = die", False),  # the table is made, and nothing is committed
        ("runner.dbmate.run = die", True),
    ],
)
def test_a_process_that_is_killed_leaves_all_of_the_copy_or_nothing(
    former: Urls, dies: str, has_copy: bool
) -> None:
    code = (
        "import os, signal, sys; from entity_pipeline.migrations import history, runner\n"
        f"def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n{dies}\nrunner.migrate(*sys.argv[1:3])"
    )
    ended = subprocess.run([sys.executable, "-c", code, *former], check=False)
    assert ended.returncode == -signal.SIGKILL
    there = execute(former[0], "select to_regclass('entity_pipeline.schema_migrations') is not null")
    assert there == [(has_copy,)]
    assert not has_copy or recorded(former[0]) == first_versions("assets")
    assert migrate(*former) == later_names()
    for url, database in zip(former, _DATABASES, strict=True):
        assert recorded(url) == versions(database)


def test_both_databases_in_one_have_one_history(database_server: DatabaseServer) -> None:
    with database_server.empty() as url:
        for database in _DATABASES:
            migrate_as_first_release(url, database)
        assert migrate(url, url) == later_names()
        assert recorded(url) == sorted(versions("assets") + versions("operation"))
        removed = remove_foreign_history(url, url)
        assert removed == {database: first_versions(database) for database in _DATABASES}
        assert recorded(url, SUPABASE_TABLE) == []
        for database in _DATABASES:
            assert GUARD in migrate_as_first_release(url, database)


def test_removing_takes_only_ours_and_says_them_before(former: Urls) -> None:
    migrate(*former)
    said: list[str] = []
    removed = remove_foreign_history(*former, say=said.append)
    assert removed == {database: first_versions(database) for database in _DATABASES}
    for database in _DATABASES:
        listed = ", ".join(first_versions(database))
        assert f"removing from {SUPABASE_TABLE} of {database}: {listed}" in said
    for url in former:
        assert recorded(url, SUPABASE_TABLE) == [_THEIRS[0]]
    assert remove_foreign_history(*former) == {"assets": [], "operation": []}
    assert migrate(*former) == []


def test_nothing_is_removed_before_our_own_history_has_it(former: Urls) -> None:
    with pytest.raises(ConfigurationFailure, match="run `entity-pipeline migrate` first"):
        remove_foreign_history(*former)
    for url, database in zip(former, _DATABASES, strict=True):
        assert recorded(url, SUPABASE_TABLE) == sorted([_THEIRS[0], *first_versions(database)])


@pytest.mark.parametrize("database", _DATABASES)
def test_the_first_release_applies_nothing_again(former: Urls, database: Database) -> None:
    migrate(*former)
    url = former[_DATABASES.index(database)]
    as_it_was = execute(url, _SHAPE)
    assert migrate_as_first_release(url, database) == ""
    assert execute(url, _SHAPE) == as_it_was
    remove_foreign_history(*former)
    assert f'"{GUARD}_{database}"' in migrate_as_first_release(url, database)
    assert execute(url, _SHAPE) == as_it_was
    assert recorded(url, SUPABASE_TABLE) == [_THEIRS[0]]
    assert migrate(*former) == []


def test_the_owner_goes_on_pushing_with_supabase(former: Urls) -> None:
    migrate(*former)
    remove_foreign_history(*former)
    execute(
        former[0],
        "insert into supabase_migrations.schema_migrations (version, statements, name) "
        "values ('20261224180000', array['select 1'], 'of_theirs'), (%s, null, 'a_copy_of_ours')",
        first_versions("assets")[0],
    )
    assert len(recorded(former[0], SUPABASE_TABLE)) == 3


def test_a_role_that_may_not_create_a_schema_gets_a_message_with_what_to_do(
    database_server: DatabaseServer, empty_pair: Urls
) -> None:
    with role(database_server, empty_pair[0], "grant all on schema public to {}") as limited:
        with pytest.raises(ConfigurationFailure) as raised:
            migrate(limited, empty_pair[1])
        said = str(raised.value)
        name = urlsplit(limited).username
        assert f"create schema entity_pipeline authorization {name}" in said
        assert "\n" not in said
        execute(empty_pair[0], f"create schema entity_pipeline authorization {name}")
        applied = migrate(limited, empty_pair[1])
        assert applied[0] == files_of("assets")[0].name


def test_a_former_history_that_can_not_be_read_stops_the_migration(
    database_server: DatabaseServer, former: Urls
) -> None:
    database = urlsplit(former[0]).path[1:]
    with role(database_server, former[0], f"grant create on database {database} to {{}}") as limited:
        with pytest.raises(ConfigurationFailure, match="it is unknown which were applied"):
            migrate(limited, former[1])
        with pytest.raises(ConfigurationFailure, match="it is unknown which were applied"):
            plan(limited, former[1])
    assert execute(former[0], "select to_regnamespace('entity_pipeline')") == [(None,)]


def test_a_role_with_least_privilege_does_not_see_the_history(
    database_server: DatabaseServer, former: Urls
) -> None:
    with role(database_server, former[0]) as limited:
        for _ in ("before", "after"):
            with psycopg.connect(limited) as connection:
                assert not may_read_history(connection)
            migrate(*former)
    with psycopg.connect(former[0]) as owner:
        assert may_read_history(owner)
        assert pending_files(owner, files_of("assets")) == []


def test_only_the_owner_of_supabases_table_can_remove(database_server: DatabaseServer, former: Urls) -> None:
    migrate(*former)
    grants: Mapping[str, str] = {
        "entity_pipeline": "select",
        "supabase_migrations": "select, delete",
    }
    statements = [
        statement
        for schema, rights in grants.items()
        for statement in (
            f"grant usage on schema {schema} to {{}}",
            f"grant {rights} on {schema}.schema_migrations to {{}}",
        )
    ]
    with role(database_server, former[0], *statements) as limited:
        with pytest.raises(ConfigurationFailure, match=r"must be owner.*on Supabase: postgres"):
            remove_foreign_history(limited, former[1])
    assert len(recorded(former[0], SUPABASE_TABLE)) == 1 + len(first_files("assets"))
