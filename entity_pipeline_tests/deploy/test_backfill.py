"""A backfill over selected partitions, as a person starts it in the Dagster UI, on the processes of a deployment."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.cli.settings_row import write_settings
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.deploy.topology import Topology, wait_for
from entity_pipeline_tests.standins import GeminiStandin

# Two days beside each other and one apart: two ranges, so two runs.
SELECTED = [FIRST_DAY + timedelta(days=days) for days in (4, 5, 8)]
ENDED = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "CANCELED")


@pytest.fixture
def topology(
    fast_path: Path,
    database_server: DatabaseServer,
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
) -> Iterator[Topology]:
    with GeminiStandin(latency_ms=0) as gemini, database_server.empty() as storage:
        variables = {
            "ASSETS_DATABASE_URL": assets_db.url,
            "OPERATION_DATABASE_URL": operation_db.url,
            "GEMINI_BASE_URL": gemini.url,
            "GEMINI_API_KEY": "made-up",
        }
        deployed = Topology(fast_path, storage.replace("postgresql:", "postgresql+psycopg2:"), variables)
        try:
            deployed.start()
            yield deployed
        finally:
            deployed.kill()


def post(database: ClonedDatabase, day: date, *usernames: str) -> None:
    with database.connection() as connection:
        connection.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at) "
            "values ('instagram', %s, %s, %s)",
            [day.isoformat(), Jsonb({"tagged_usernames": list(usernames)}), day],
        )


def stages(database: ClonedDatabase) -> dict[str, tuple[bool, bool]]:
    """Whether each account is reviewed, and whether it has a decision."""
    with database.connection() as connection:
        rows = connection.execute(
            "select username, coalesce(metadata #>> '{entity_enrichment,gemini_review,status}', '') = 'reviewed', "
            "metadata #> '{entity_enrichment,catalog_link}' is not null from instagram_accounts"
        ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_backfill_over_selected_partitions_links_all_that_was_reviewed(
    topology: Topology, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    for day in SELECTED:
        post(assets_db, day, f"first.of.{day.day}", f"second.of.{day.day}")
    write_settings(assets_db, daily_grounding_cap=5, requests_per_minute=10_000)
    whole = range_tags(SELECTED[0].isoformat(), SELECTED[-1].isoformat())
    intake = topology.launch("intake_job", whole)
    wait_for(lambda: topology.status(intake) in ("SUCCESS", "FAILURE"), "the end of the intake")
    assert topology.status(intake) == "SUCCESS", topology.messages(intake)

    backfill = topology.launch_backfill(["gemini_reviews", "catalog_links"], SELECTED)
    wait_for(lambda: topology.backfill(backfill)["status"] in ENDED, "the end of the backfill")
    ended = topology.backfill(backfill)
    assert [run["status"] for run in ended["runs"]] == ["SUCCESS", "SUCCESS"]
    assert ended["status"] == "COMPLETED_FAILED", "one account waits, and Dagster has no word for unfinished"
    found = stages(operation_db)
    assert sorted(found.values()) == [(False, False), *[(True, True)] * 5], found
    (waiting,) = [name for name, stage in found.items() if stage == (False, False)]
    finished = {day.isoformat() for day in SELECTED if not waiting.endswith(f".{day.day}")}
    assert topology.green("gemini_reviews") == topology.green("catalog_links") == finished
