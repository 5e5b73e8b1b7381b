"""Accounts that change their handle between two runs, and handles that another account takes, by the real assets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from entity_pipeline.core.clock import utc_text
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph

OLD, NEW = "tideloom.madeup", "tideloom.official.madeup"


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        built.post(MONDAY, OLD, times=2)
        built.run_all(MONDAY)
        yield built


def rows(
    installation: Graph, table: str = "instagram_accounts", key: str = "username"
) -> dict[str, dict[str, Any]]:
    with installation.operation_db.connection() as connection:
        found = connection.cursor(row_factory=dict_row).execute(f"select * from {table}").fetchall()
    return {row[key]: row for row in found}


def brands(installation: Graph) -> dict[UUID, UUID | None]:
    """The primary account of each brand."""
    found = rows(installation, "brands", "id")
    return {brand: row["primary_instagram_account_id"] for brand, row in found.items()}


def enrichment(installation: Graph, username: str, stage: str) -> dict[str, Any]:
    found: dict[str, Any] = installation.accounts()[username].get(stage, {})
    return found


def test_a_renamed_account_keeps_its_entity_and_its_links_follow(installation: Graph) -> None:
    before = rows(installation)
    brand = before[OLD]["brand_id"]
    assert brands(installation) == {brand: before[OLD]["id"]}
    installation.instagram.rename(OLD, NEW)
    installation.post(TUESDAY, NEW)
    installation.run_all(TUESDAY)
    after = rows(installation)
    assert brands(installation) == {brand: after[NEW]["id"]}
    assert (after[NEW]["brand_id"], after[NEW]["entity_ig_role"], after[OLD]["brand_id"]) == (
        brand,
        "primary",
        None,
    )
    for column in ("account_type", "name_en", "name_ko"):
        assert after[NEW][column] == before[OLD][column]
    assert enrichment(installation, NEW, "catalog_link")["status"] == "linked"
    marked, present = (enrichment(installation, name, "profile_backfill") for name in (OLD, NEW))
    assert marked["renamed_to"] == {"account_id": str(after[NEW]["id"]), "username": NEW}
    assert present["renamed_from"] == [{"account_id": str(after[OLD]["id"]), "username": OLD}]
    assert marked["instagram_id"] == present["instagram_id"]
    held = enrichment(installation, OLD, "catalog_link")
    assert (held["status"], held["reasons"]) == ("held", ["renamed"])
    written = installation.everything(), installation.calls()
    installation.run_all(MONDAY, TUESDAY)
    assert (installation.everything(), installation.calls()) == written


def test_a_run_that_dies_between_the_mark_and_the_move_is_continued(installation: Graph) -> None:
    brand = rows(installation)[OLD]["brand_id"]
    installation.instagram.rename(OLD, NEW)
    installation.post(TUESDAY, NEW)
    installation.run("intake_job", TUESDAY)
    installation.materialize("instagram_profiles", day=TUESDAY)
    assert enrichment(installation, OLD, "profile_backfill")["renamed_to"]["username"] == NEW
    assert rows(installation)[OLD]["brand_id"] == brand
    with installation.operation_db.connection() as connection:
        connection.execute("create table killed (at timestamptz)")
        connection.execute(
            "create function kill_once() returns trigger language plpgsql as $$ begin "
            "if new.action like '%.moved' and new.target_table = 'brands' then "
            "perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$"
        )
        connection.execute(
            "create trigger kill before insert on admin_audit_log for each row execute function kill_once()"
        )
    installation.run("linking_job", TUESDAY, succeeds=False)
    after = rows(installation)
    assert (after[OLD]["brand_id"], after[NEW]["brand_id"]) == (brand, None)
    with installation.operation_db.connection() as connection:
        connection.execute("drop trigger kill on admin_audit_log")
    installation.run("linking_job", MONDAY)
    after = rows(installation)
    assert (after[OLD]["brand_id"], after[NEW]["brand_id"]) == (None, brand)
    assert brands(installation) == {brand: after[NEW]["id"]}


def test_an_account_that_takes_its_former_handle_again_gets_its_links_back(installation: Graph) -> None:
    brand = rows(installation)[OLD]["brand_id"]
    installation.instagram.rename(OLD, NEW)
    installation.post(TUESDAY, NEW)
    installation.run_all(TUESDAY)
    installation.instagram.rename(NEW, OLD)
    look_again(installation, OLD)
    after = rows(installation)
    assert brands(installation) == {brand: after[OLD]["id"]}
    assert (after[OLD]["brand_id"], after[NEW]["brand_id"]) == (brand, None)
    assert enrichment(installation, OLD, "catalog_link")["status"] in ("linked", "created")
    assert enrichment(installation, NEW, "catalog_link")["reasons"] == ["renamed"]


def test_a_linked_handle_that_another_account_takes_is_held(installation: Graph) -> None:
    installation.instagram.take(SimulatedAccount(OLD, "Another Person", "not a brand", pk=4_242))
    look_again(installation, OLD)
    seen, link = (enrichment(installation, OLD, stage) for stage in ("profile_backfill", "catalog_link"))
    assert (seen["outcome"], seen["reassigned_to"], link["status"]) == ("reassigned", "4242", "held")
    assert link["reasons"] == ["reassigned"]
    assert rows(installation)[OLD]["bio"] != "not a brand"


def test_the_links_of_a_taken_handle_follow_the_account_that_left_it(installation: Graph) -> None:
    brand = rows(installation)[OLD]["brand_id"]
    installation.instagram.rename(OLD, NEW)
    installation.instagram.take(SimulatedAccount(OLD, "Another Person", "not a brand", pk=4_242))
    look_again(installation, OLD)
    installation.post(TUESDAY, NEW)
    installation.run_all(TUESDAY)
    after = rows(installation)
    assert (after[OLD]["brand_id"], after[NEW]["brand_id"]) == (None, brand)
    assert brands(installation) == {brand: after[NEW]["id"]}
    assert enrichment(installation, OLD, "catalog_link")["status"] == "held"


def look_again(installation: Graph, *usernames: str) -> None:
    """As if 91 days had passed since these profiles were found."""
    long_ago = utc_text(datetime.now(UTC) - timedelta(days=91))
    with installation.operation_db.connection() as connection:
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,profile_backfill,looked_at}', to_jsonb(%s::text)) where username = any(%s)",
            [long_ago, list(usernames)],
        )
    installation.run("enrichment_job", MONDAY)
    installation.run("linking_job", MONDAY)


def test_the_next_look_is_as_far_away_as_the_first(installation: Graph) -> None:
    look_again(installation, OLD)
    before = installation.calls()
    installation.run("enrichment_job", MONDAY)
    assert installation.calls() == before
