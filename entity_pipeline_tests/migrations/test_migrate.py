"""`migrate` on empty databases: what it creates, that it may run again, and its message when it can't."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, PipelineFailure
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.dbmate import dbmate_url
from entity_pipeline.migrations.files import FOLDER
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer

EVERY_FILE = [
    f"{folder}/{path.name}"
    for folder in ("assets", "operation")
    for path in sorted((FOLDER / folder).glob("*.sql"))
]


@pytest.fixture
def empty_pair(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    with database_server.empty() as assets, database_server.empty() as operation:
        yield assets, operation


def test_an_empty_pair_gets_every_file_once_and_a_second_run_does_nothing(
    empty_pair: tuple[str, str],
) -> None:
    assert migrate(*empty_pair) == EVERY_FILE
    assert migrate(*empty_pair) == []


def test_four_processes_at_once_apply_every_file_exactly_once(empty_pair: tuple[str, str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: migrate(*empty_pair), range(4)))
    assert sorted(name for run in runs for name in run) == sorted(EVERY_FILE)


def test_both_schemas_fit_into_one_database(database_server: DatabaseServer) -> None:
    with database_server.empty() as url:
        assert migrate(url, url) == EVERY_FILE


def test_a_key_value_connection_string_works_as_well_as_a_url(empty_pair: tuple[str, str]) -> None:
    def as_key_values(url: str) -> str:
        address = urlsplit(url)
        return (
            f"host={address.hostname} port={address.port} user={address.username} "
            f"password={address.password} dbname={address.path[1:]} keepalives_idle=30"
        )

    assert migrate(*map(as_key_values, empty_pair)) == EVERY_FILE


def test_an_index_left_unfinished_by_a_killed_run_is_built_again(empty_pair: tuple[str, str]) -> None:
    migrate(*empty_pair)
    with psycopg.connect(empty_pair[0], autocommit=True) as connection:
        connection.execute(
            "update pg_index set indisvalid = false "
            "where indexrelid = 'entity_pipeline_raw_posts_created_at'::regclass"
        )
        connection.execute("delete from entity_pipeline.schema_migrations where version = '20260101000210'")
    assert migrate(*empty_pair) == ["assets/20260101000210_raw_posts_created_at_index.sql"]
    with psycopg.connect(empty_pair[0]) as connection:
        row = connection.execute(
            "select indisvalid from pg_index where indexrelid = 'entity_pipeline_raw_posts_created_at'::regclass"
        ).fetchone()
    assert row == (True,)


def test_the_pipeline_starts_switched_off(assets: psycopg.Connection) -> None:
    row = assets.execute(
        "select is_enabled, settings, updated_by from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone()
    assert row == (False, {}, "migration")


def test_every_table_we_create_denies_by_default(
    assets: psycopg.Connection, operation: psycopg.Connection
) -> None:
    open_tables = [
        row[0]
        for connection in (assets, operation)
        for row in connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace "
            "and relkind = 'r' and not relrowsecurity"
        )
    ]
    assert open_tables == []


def test_a_live_reservation_is_a_claim_and_a_settled_one_is_not(assets: psycopg.Connection) -> None:
    insert = "insert into gemini_usage_events (pipeline, step, model, subject, state) values ('p', 's', 'm', 'a', %s)"
    for state in ("settled", "released", "sent"):
        assets.execute(insert, (state,))
    with pytest.raises(psycopg.errors.UniqueViolation):
        assets.execute(insert, ("reserved",))


def test_an_event_without_a_quota_day_gets_the_pacific_one(assets: psycopg.Connection) -> None:
    row = assets.execute(
        "insert into gemini_usage_events (pipeline, step, model) values ('p', 's', 'm') "
        "returning quota_day = (created_at at time zone 'America/Los_Angeles')::date"
    ).fetchone()
    assert row == (True,)


def test_a_change_of_an_account_sets_updated_at(operation: psycopg.Connection) -> None:
    operation.execute("insert into instagram_accounts (username, updated_at) values ('a', '2020-01-01')")
    row = operation.execute(
        "update instagram_accounts set bio = 'x' returning updated_at > '2026-01-01'"
    ).fetchone()
    assert row == (True,)


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (
            "brand_id, artist_id, entity_ig_role",
            "(select id from brands), (select id from artists), 'primary'",
        ),
        ("brand_id", "(select id from brands)"),
        ("account_type", "'celebrity'"),
        ("entity_ig_role", "'main'"),
        ("wikidata_status", "'maybe'"),
    ],
)
def test_an_account_that_breaks_a_rule_of_the_catalog_is_refused(
    operation: psycopg.Connection, columns: str, values: str
) -> None:
    operation.execute("insert into brands default values; insert into artists default values")
    with pytest.raises(psycopg.errors.CheckViolation):
        operation.execute(f"insert into instagram_accounts (username, {columns}) values ('a', {values})")


@pytest.mark.parametrize("entity", ["artist", "brand"])
def test_an_entity_has_one_primary_account_and_any_number_of_others(
    operation: psycopg.Connection, entity: str
) -> None:
    operation.execute(f"insert into {entity}s default values")
    insert = (
        f"insert into instagram_accounts (username, {entity}_id, entity_ig_role) "
        f"select %s, id, %s from {entity}s"
    )
    for username, role in (("a", "primary"), ("b", "secondary"), ("c", "regional"), ("d", "regional")):
        operation.execute(insert, (username, role))
    with pytest.raises(psycopg.errors.UniqueViolation):
        operation.execute(insert, ("e", "primary"))


@pytest.mark.parametrize("table", ["artists", "brands", "groups"])
def test_two_entities_never_share_their_primary_account_and_outlive_it(
    operation: psycopg.Connection, table: str
) -> None:
    operation.execute("insert into instagram_accounts (username) values ('a')")
    insert = f"insert into {table} (primary_instagram_account_id) select id from instagram_accounts"
    operation.execute(insert)
    with pytest.raises(psycopg.errors.UniqueViolation):
        operation.execute(insert)
    operation.execute("delete from instagram_accounts")
    assert operation.execute(f"select primary_instagram_account_id from {table}").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("url", "failure", "says"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/assets", DatabaseUnavailable, "refused"),
        ("postgresql://me:s3cret@127.0.0.1:port/assets", PipelineFailure, "ASSETS_DATABASE_URL"),
        ("me:s3cret@127.0.0.1/assets", ConfigurationFailure, "postgresql://user:password@host:5432/database"),
        ("host=127.0.0.1 password=s3cret colour=red", ConfigurationFailure, "colour"),
    ],
)
def test_a_url_that_can_not_be_used_is_one_sentence_without_the_password(
    url: str, failure: type[PipelineFailure], says: str
) -> None:
    with pytest.raises(failure) as raised:
        migrate(url, url)
    assert says in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_password_is_a_matter_of_configuration(assets_db: ClonedDatabase) -> None:
    address = urlsplit(assets_db.url)
    wrong = assets_db.url.replace(f":{address.password}@", ":wr%2Fong@")
    with pytest.raises(ConfigurationFailure, match=r"authentication failed.*ASSETS_DATABASE_URL") as raised:
        migrate(wrong, wrong)
    assert "wr/ong" not in str(raised.value)


def test_a_schema_that_does_not_allow_it_is_named_with_the_file(empty_pair: tuple[str, str]) -> None:
    with psycopg.connect(empty_pair[1], autocommit=True) as connection:
        connection.execute("create view brands as select 1 as id")
    with pytest.raises(ConfigurationFailure, match=r"operation/20260101001000_catalog\.sql"):
        migrate(*empty_pair)


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (
            "postgresql://u:p@db.example.org:6543/x",
            "postgres://u:p@db.example.org:6543/x?sslmode=prefer",
        ),
        (
            "postgresql://u:p%40%2F@h/x?sslmode=verify-full&sslrootcert=/ca.crt&application_name=me",
            "postgres://u:p%40%2F@h/x?sslmode=verify-full&sslrootcert=%2Fca.crt",
        ),
        ("host=::1 dbname=x user=u sslmode=disable", "postgres://u@[::1]/x?sslmode=disable"),
        ("postgresql://u@/x?host=/run/pg", "postgres://u@/x?sslmode=prefer&host=%2Frun%2Fpg"),
    ],
)
def test_dbmate_gets_the_same_address_in_its_own_words(given: str, passed_on: str) -> None:
    assert dbmate_url(given) == passed_on


def test_a_tls_mode_of_the_environment_is_left_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PGSSLMODE", "require")
    assert "sslmode" not in dbmate_url("postgresql://u@h/x")
