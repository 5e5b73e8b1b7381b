"""What `missing_schema` finds, one damage at a time, on real databases."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import entity_pipeline
from entity_pipeline.migrations import migrate
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.resources.schema_probe import SchemaProbe
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.migrations.older_installation import older_installation
from entity_pipeline_tests.needs import NEEDS

Connection = psycopg.Connection[Any]


@pytest.fixture
def role(assets: Connection) -> Iterator[sql.Identifier]:
    """A role without any right; `set role` in a test makes the connection its own."""
    name = sql.Identifier(f"test_role_{assets.info.dbname}")
    assets.execute(sql.SQL("create role {}").format(name))
    yield name
    assets.execute("reset role")
    assets.execute(sql.SQL("drop owned by {0}; drop role {0}").format(name))


def test_migrated_databases_lack_nothing(assets: Connection, operation: Connection) -> None:
    assert missing_schema(assets, operation, *NEEDS) == []


def test_an_older_installation_lacks_nothing_but_what_only_people_may_change(
    database_server: DatabaseServer,
) -> None:
    with older_installation(database_server) as urls:
        migrate(*urls)
        with psycopg.connect(urls[0]) as assets, psycopg.connect(urls[1]) as operation:
            problems = [str(problem) for problem in missing_schema(assets, operation, *NEEDS)]
    assert problems == [
        "assets: the column gemini_spend_daily.day is required and the pipeline does not know it; "
        "make it nullable, or give it a default if it is in no key (docs/schema.md, Existing installations).",
        "operation: the column group_members.is_active is missing; add it as bool, or rename it back.",
    ]


def test_every_table_of_an_empty_server_is_named_with_what_to_do(database_server: DatabaseServer) -> None:
    with database_server.empty() as url, psycopg.connect(url) as nothing:
        problems = missing_schema(nothing, nothing, *NEEDS)
    assert {problem.table for problem in problems} >= {"raw_posts", "tagged_usernames", "artists", "brands"}
    assert all(str(problem).endswith("is missing; run `entity-pipeline migrate`.") for problem in problems)


@pytest.mark.parametrize(
    ("damage", "table", "column", "says"),
    [
        ("drop table tagged_usernames", "tagged_usernames", None, "run `entity-pipeline migrate`"),
        (
            "alter table gemini_usage_events drop column subject",
            "gemini_usage_events",
            "subject",
            "is missing",
        ),
        ("alter table raw_posts drop column updated_at", "raw_posts", "updated_at", "add it as timestamptz"),
        (
            "alter table raw_posts alter platform_metadata type json",
            "raw_posts",
            "platform_metadata",
            "is json but the pipeline needs jsonb",
        ),
        (
            "alter table pipeline_settings drop constraint pipeline_settings_pkey",
            "pipeline_settings",
            "platform",
            "no unique key on (platform)",
        ),
        (
            "drop index entity_pipeline_usage_claim",
            "gemini_usage_events",
            None,
            "entity_pipeline_usage_claim",
        ),
        (
            "update pg_index set indisvalid = false where indexrelid = 'entity_pipeline_usage_claim'::regclass",
            "gemini_usage_events",
            None,
            "unfinished",
        ),
        (
            "drop function entity_pipeline_ledger_settle_2",
            "",
            None,
            "the function entity_pipeline_ledger_settle_2 is missing",
        ),
        (
            "alter table gemini_usage_events add column tenant text not null",
            "gemini_usage_events",
            "tenant",
            "give it a default",
        ),
    ],
)
def test_one_difference_in_assets_is_one_sentence(
    assets: Connection, operation: Connection, damage: str, table: str, column: str | None, says: str
) -> None:
    assets.execute(damage)
    [problem, *others] = missing_schema(assets, operation, *NEEDS)
    assert (problem.database, problem.table, problem.column) == ("assets", table, column)
    assert says in str(problem)
    assert {other.table for other in others} <= {table}


@pytest.mark.parametrize(
    ("damage", "table", "says"),
    [
        (
            "alter table instagram_accounts drop column account_type",
            "instagram_accounts",
            "entity-pipeline migrate",
        ),
        ("alter table instagram_accounts drop column bio", "instagram_accounts", "add it as text"),
        (
            "alter table instagram_accounts drop constraint instagram_accounts_username_key",
            "instagram_accounts",
            "(username)",
        ),
        ("alter table group_members drop column is_active", "group_members", "add it as bool"),
        ("alter table brands drop column country_of_origin", "brands", "entity-pipeline migrate"),
        ("drop index artists_primary_instagram_account_id_key", "artists", "primary_instagram_account_id"),
        ("drop function entity_pipeline_name_key cascade", "", "entity_pipeline_name_key"),
    ],
)
def test_one_difference_in_operation_is_one_sentence(
    assets: Connection, operation: Connection, damage: str, table: str, says: str
) -> None:
    operation.execute(damage)
    [problem] = missing_schema(assets, operation, *NEEDS)
    assert (problem.database, problem.table) == ("operation", table)
    assert says in str(problem)


@pytest.mark.parametrize(
    ("table", "modules"),
    [
        ("pipeline_settings", {"resources/settings_store.py"}),
        (
            "gemini_usage_events",
            {
                "resources/gemini/ledger_sql.py",
                "resources/gemini/batch_sql.py",  # those of a batch's requests
                "shared/gemini_spend/forgotten.py",  # texts that must go
                "shared/gemini_spend/requests.py",
            },
        ),
        ("gemini_spend_daily", {"resources/gemini/spend.py"}),
    ],
)
def test_the_statements_on_a_shared_table_are_in_one_place(table: str, modules: set[str]) -> None:
    package = Path(entity_pipeline.__file__).parent
    names_it = re.compile(rf"\b(?:from|into|update|join)\s+(?:public\.)?{table}\b")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if names_it.search(path.read_text(encoding="utf-8"))
    }
    assert found == modules


def test_a_roll_up_that_can_not_be_written_holds_up_no_run(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with assets_db.connection() as assets:
        assets.execute("alter table gemini_spend_daily add column day date not null")
    probe = SchemaProbe(
        assets_db=PostgresResource(url=assets_db.url), operation_db=PostgresResource(url=operation_db.url)
    )
    assert probe.problems(*NEEDS) == []
    with assets_db.connection() as assets:
        assets.execute("alter table gemini_usage_events drop column subject")
    assert len(probe.problems(*NEEDS)) >= 1


def test_a_role_without_rights_gets_the_names_of_those_it_lacks(
    assets: Connection, operation: Connection, role: sql.Identifier
) -> None:
    assets.execute(sql.SQL("grant select on raw_posts to {0}; set role {0}").format(role))
    problems = {problem.table: str(problem) for problem in missing_schema(assets, operation, *NEEDS)}
    assert "may not select, insert, update on gemini_usage_events" in problems["gemini_usage_events"]


def test_silently_hidden_rows_are_a_problem_until_a_policy_shows_them(
    assets: Connection, operation: Connection, role: sql.Identifier
) -> None:
    assets.execute(sql.SQL("grant all on all tables in schema public to {}").format(role))
    assets.execute("insert into raw_posts (platform, external_id) values ('instagram', 'p1')")

    def hidden() -> list[str]:
        assets.execute(sql.SQL("set role {}").format(role))
        try:
            return [
                str(problem)
                for problem in missing_schema(assets, operation, *NEEDS)
                if problem.table == "raw_posts"
            ]
        finally:
            assets.execute("reset role")

    [sentence] = hidden()
    assert "hides the rows of raw_posts from this role: no policy allows select" in sentence
    assets.execute(sql.SQL("create policy readers on raw_posts for select to {} using (true)").format(role))
    assert hidden() == []


def test_a_policy_for_another_role_does_not_help(
    assets: Connection, operation: Connection, role: sql.Identifier
) -> None:
    assets.execute(sql.SQL("grant all on all tables in schema public to {}").format(role))
    assets.execute("create policy others on raw_posts to pg_monitor using (true)")
    assets.execute(sql.SQL("set role {}").format(role))
    assert "raw_posts" in {problem.table for problem in missing_schema(assets, operation, *NEEDS)}
