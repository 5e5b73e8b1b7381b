"""`migrate` on databases that existed before: people's tables gain columns and lose nothing."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.migrations import migrate
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.older_installation import older_installation


@pytest.fixture
def older(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    with older_installation(database_server) as urls:
        yield urls


def _rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table outside the catalogs."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind = 'r' and n.nspname in ('public', 'supabase_migrations')"
        ).fetchall()
        return {
            name: [
                row[0]
                for row in connection.execute(
                    sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(schema, name))
                )
            ]
            for schema, name in tables
        }


def _columns(url: str) -> dict[str, set[str]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'public'"
        ).fetchall()
    return {table: {column for name, column in rows if name == table} for table, _ in rows}


def test_no_existing_value_changes_and_no_row_is_lost(older: tuple[str, str]) -> None:
    before = [_rows(url) for url in older]
    migrate(*older)
    after = [_rows(url) for url in older]
    for tables, migrated in zip(before, after, strict=True):
        for table, rows in tables.items():
            for row in rows:
                assert any(row.items() <= other.items() for other in migrated[table]), (table, row)


def test_only_the_allowed_columns_are_added_to_the_tables_of_others(older: tuple[str, str]) -> None:
    before = [_columns(url) for url in older]
    migrate(*older)
    after = [_columns(url) for url in older]
    added = {
        table: migrated[table] - columns
        for tables, migrated in zip(before, after, strict=True)
        for table, columns in tables.items()
        if migrated[table] - columns
    }
    assert {table: added[table] for table in added if not table.startswith("gemini_")} == {
        "instagram_accounts": {"entity_ig_role", "entity_region_code"},
        "brands": {"country_of_origin"},
    }


def test_row_level_security_of_existing_tables_stays_as_it_was(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[1]) as connection:
        protected = connection.execute("select relname from pg_class where relrowsecurity").fetchall()
    assert set(protected) == set()


def test_an_enum_stays_an_enum_with_every_older_value_valid(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[1]) as connection:
        types = connection.execute(
            "select distinct pg_typeof(account_type)::text from instagram_accounts"
        ).fetchall()
        rewritten = connection.execute("update instagram_accounts set account_type = account_type").rowcount
    assert types == [("account_type",)]
    assert rewritten == 7


def test_brands_older_than_the_column_have_no_known_country(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[1]) as connection:
        countries = connection.execute("select distinct country_of_origin from brands").fetchall()
    assert countries == [("NA",)]


def test_old_events_do_not_count_against_todays_quota(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[0], autocommit=True) as connection:
        old = connection.execute(
            "select distinct quota_day, grounded, state from gemini_usage_events"
        ).fetchall()
        connection.execute("insert into gemini_usage_events (pipeline, step, model) values ('p', 's', 'm')")
        new = connection.execute(
            "select quota_day = (now() at time zone 'America/Los_Angeles')::date from gemini_usage_events "
            "where pipeline = 'p'"
        ).fetchall()
    assert old == [(None, False, "settled")]
    assert new == [(True,)]


def test_the_roll_up_can_upsert_beside_rows_of_another_shape(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[0], autocommit=True) as connection:
        for _ in range(2):
            connection.execute(
                "insert into gemini_spend_daily (day, quota_day, pipeline, step, model, requests) "
                "values ('2026-01-01', '2026-01-01', 'p', 's', 'm', 1) "
                "on conflict (quota_day, pipeline, step, model) do update set requests = excluded.requests + 1"
            )
        rows = connection.execute("select pipeline, requests from gemini_spend_daily order by 1").fetchall()
    assert rows == [("captions", 0), ("p", 2)]


def test_a_domains_row_is_switched_off_even_where_the_column_defaults_to_on(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[0]) as connection:
        rows = connection.execute(
            "select platform, is_enabled, updated_by is null from pipeline_settings order by 1"
        ).fetchall()
    assert rows == sorted(
        [
            *((domain.row, False, True) for domain in DOMAINS),
            *((shared.row, True, True) for shared in SHARED_ROWS),
            ("pinterest", True, False),
        ]
    )


def test_a_switch_that_a_person_set_before_the_migration_stays(older: tuple[str, str]) -> None:
    with psycopg.connect(older[0], autocommit=True) as connection:
        connection.execute(
            """insert into pipeline_settings values ('entity_enrichment', true, '{"concurrency": 2}')"""
        )
    migrate(*older)
    with psycopg.connect(older[0]) as connection:
        row = connection.execute(
            "select is_enabled, settings from pipeline_settings where platform = 'entity_enrichment'"
        ).fetchone()
    assert row == (True, {"concurrency": 2, "shared_rows": True})


def test_the_history_of_others_neither_stops_ours_nor_is_stopped_by_it(older: tuple[str, str]) -> None:
    applied = migrate(*older)
    assert any(name.startswith("assets/20260101000100") for name in applied)
    assert migrate(*older) == []
    with psycopg.connect(older[0]) as connection:
        theirs = connection.execute(
            "select version, name from supabase_migrations.schema_migrations where name is not null order by 1"
        ).fetchall()
    assert theirs == [("20250311090000", "collector"), ("20270101000000", "a migration newer than ours")]
