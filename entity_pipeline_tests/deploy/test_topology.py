"""The separate processes of a deployment, through a run and through a stop in the middle of one."""

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from subprocess import run

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.cli.settings_row import write_settings
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.deploy.topology import Topology, give_up_writing_everywhere, wait_for
from entity_pipeline_tests.standins import GeminiStandin

DAY = FIRST_DAY + timedelta(days=4)
CONCURRENCY = 16
ACCOUNTS = 40


@pytest.fixture
def slow_gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=2000) as standin:
        yield standin


@pytest.fixture
def topology(
    fast_path: Path,
    database_server: DatabaseServer,
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    slow_gemini: GeminiStandin,
) -> Iterator[Topology]:
    variables = {
        "ASSETS_DATABASE_URL": assets_db.url,
        "OPERATION_DATABASE_URL": operation_db.url,
        "GEMINI_BASE_URL": slow_gemini.url,
        "GEMINI_API_KEY": "made-up",
        "GEMINI_MODEL": "gemini-2.5-flash",
    }
    with database_server.empty() as storage:
        deployed = Topology(fast_path, storage.replace("postgresql:", "postgresql+psycopg2:"), variables)
        try:
            deployed.start()
            yield deployed
        finally:
            deployed.kill()


def of_day(day: date) -> dict[str, str]:
    return range_tags(day.isoformat(), day.isoformat())


def ledger(database: ClonedDatabase) -> dict[str, int]:
    with database.connection() as connection:
        return dict(
            connection.execute("select state::text, count(*) from gemini_usage_events group by 1").fetchall()
        )


def reviewed(database: ClonedDatabase) -> int:
    with database.connection() as connection:
        row = connection.execute(
            "select count(*) from instagram_accounts "
            "where metadata #>> '{entity_enrichment,gemini_review,status}' = 'reviewed'"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.timeout(600)
def test_the_deployed_processes_run_jobs_lose_nothing_when_stopped_and_leave_nothing_behind(
    topology: Topology, assets_db: ClonedDatabase, operation_db: ClonedDatabase, slow_gemini: GeminiStandin
) -> None:
    names = [f"stranger{number}" for number in range(ACCOUNTS)]
    with assets_db.connection() as connection:
        connection.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at) "
            "values ('instagram', 'one', %s, %s)",
            [Jsonb({"tagged_usernames": names}), DAY],
        )
    write_settings(assets_db, concurrency=CONCURRENCY, requests_per_minute=10_000)

    intake = topology.launch("intake_job", of_day(DAY))
    wait_for(lambda: topology.status(intake) in ("SUCCESS", "FAILURE"), "the end of the intake")
    assert topology.status(intake) == "SUCCESS", topology.messages(intake)

    cut = topology.launch("enrichment_job", of_day(DAY), enrichment_config(ACCOUNTS))
    wait_for(lambda: slow_gemini.requests["total"] >= CONCURRENCY, "calls on the wire")
    topology.stop("code")
    wait_for(lambda: topology.status(cut) in ("FAILURE", "CANCELED"), "the end of the run in the records")
    messages = topology.messages(cut)
    assert (
        "Stopped by a signal or a person: 16 accounts in progress were finished. The next run continues."
        in messages
    )
    assert "Execution was interrupted unexpectedly" in messages
    sent = slow_gemini.requests["total"]
    assert CONCURRENCY <= sent < ACCOUNTS
    assert ledger(assets_db) == {"settled": sent}
    assert reviewed(operation_db) == sent

    topology.start_code()
    rest = topology.launch("enrichment_job", of_day(DAY), enrichment_config(ACCOUNTS))
    wait_for(lambda: topology.status(rest) in ("SUCCESS", "FAILURE"), "the end of the next run")
    assert topology.status(rest) == "SUCCESS", topology.messages(rest)
    assert (slow_gemini.requests["total"], reviewed(operation_db)) == (ACCOUNTS, ACCOUNTS)
    assert ledger(assets_db) == {"settled": ACCOUNTS}

    assert [topology.stop(name) for name in ("webserver", "daemon", "code")] == [0, 0, 0]
    assert sorted(path.name for path in topology.home.iterdir()) == ["dagster.yaml", "workspace.yaml"]


def test_the_folder_of_the_deployed_processes_really_refuses_to_be_written(fast_path: Path) -> None:
    fast_path.chmod(0o555)
    try:
        ended = run(
            [sys.executable, "-c", "open('x', 'w')"],
            cwd=fast_path,
            capture_output=True,
            preexec_fn=give_up_writing_everywhere,
        )
        assert b"PermissionError" in ended.stderr
    finally:
        fast_path.chmod(0o755)
