"""`migrate` on tables of another shape than documented: partitioned ones, and json where jsonb is needed."""

from collections.abc import Iterator

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.plan import plan
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer

PARTITIONED = """
create type pipeline_status as enum ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'VERIFIED', 'ERROR');
create table raw_posts (
    id uuid not null default gen_random_uuid(), source_id uuid, platform text not null, external_id text not null,
    external_url text, image_url text, image_hash text, caption text, author_name text, platform_metadata jsonb,
    status pipeline_status, parse_status text, parse_result jsonb, parse_error text, parse_attempts integer,
    verified_at timestamptz, verified_by uuid, dispatch_id uuid,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    primary key (id, created_at), unique (platform, external_id, created_at)
) partition by range (created_at);
create table raw_posts_2026_10 partition of raw_posts for values from ('2026-10-01') to ('2026-11-01');
create table raw_posts_2026_11 partition of raw_posts for values from ('2026-11-01') to ('2026-12-01')
  partition by range (created_at);
create table "Raw posts, late" partition of raw_posts_2026_11 for values from ('2026-11-15') to ('2026-12-01');
create table raw_posts_rest partition of raw_posts default;
"""
INDEXES = ("entity_pipeline_raw_posts_created_at", "entity_pipeline_raw_posts_updated_at")
STATE = "select relname::text, indisvalid from pg_index join pg_class c on c.oid = indexrelid where relname = any(%s)"


@pytest.fixture
def pair(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    with database_server.empty() as assets, database_server.empty() as operation:
        yield assets, operation


def test_a_partitioned_table_gets_its_indexes_partition_by_partition(pair: tuple[str, str]) -> None:
    with psycopg.connect(pair[0], autocommit=True) as assets:
        assets.execute(PARTITIONED)
        plan(*pair)
        applied = migrate(*pair)
        assert "assets/20260101000210_raw_posts_created_at_index.sql" in applied
        assert dict(assets.execute(STATE, [list(INDEXES)]).fetchall()) == dict.fromkeys(INDEXES, True)
        for name in INDEXES:
            parts = assets.execute(
                "select count(*) from pg_partition_tree(%s::regclass) where isleaf", [name]
            ).fetchone()
            assert parts == (3,)
        assert migrate(*pair) == []
        assets.execute(f"drop index {INDEXES[0]}")
        assert migrate(*pair) == ["assets/20260101000210_raw_posts_created_at_index.sql"]
        assert migrate(*pair) == []


def test_json_in_place_of_jsonb_is_refused_before_anything_changes(pair: tuple[str, str]) -> None:
    with psycopg.connect(pair[1], autocommit=True) as operation:
        operation.execute(
            "create table instagram_accounts (id uuid primary key, username text, metadata json)"
        )
        with pytest.raises(ConfigurationFailure) as raised:
            migrate(*pair)
        assert str(raised.value) == (
            "The operation database was not changed: the column instagram_accounts.metadata must be jsonb and is json. "
            "Run `alter table instagram_accounts alter column metadata type jsonb using metadata::jsonb` as the owner, "
            "then `entity-pipeline migrate` again. The assets database is up to date."
        )
        assert operation.execute("select to_regclass('entity_pipeline.schema_migrations')").fetchone() == (
            None,
        )
        operation.execute("drop table instagram_accounts")
    assert {name.partition("/")[0] for name in migrate(*pair)} == {"operation"}


def test_a_refused_statement_does_not_blame_the_address_and_leaves_the_other_database_done(
    pair: tuple[str, str],
) -> None:
    with psycopg.connect(pair[0], autocommit=True) as assets:
        assets.execute("create view raw_posts as select 1 as id")
    with pytest.raises(ConfigurationFailure) as raised:
        migrate(*pair)
    said = str(raised.value)
    assert "ASSETS_DATABASE_URL" not in said
    assert "change it and run `entity-pipeline migrate` again" in said
    assert said.endswith("The operation database is up to date.")
    with psycopg.connect(pair[1]) as operation:
        assert operation.execute("select to_regclass('brands') is not null").fetchone() == (True,)


def test_what_keeps_both_from_being_migrated_is_said_of_both(operation_db: ClonedDatabase) -> None:
    wrong = operation_db.url.replace("@", "0@", 1)
    with pytest.raises(ConfigurationFailure) as raised:
        migrate(wrong, wrong)
    assert "ASSETS_DATABASE_URL" in str(raised.value)
    assert "OPERATION_DATABASE_URL" in str(raised.value)
