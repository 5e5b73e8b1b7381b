"""SIGTERM in the middle of sixteen calls: to the command, and to the process of a run as Kubernetes starts it.

How a run behind a code location ends is in `test_topology.py`.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.cli.settings_row import write_settings
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.deploy.topology import CHECKOUT, DEPLOY, wait_for
from entity_pipeline_tests.standins import GeminiStandin

DAY = (FIRST_DAY + timedelta(days=4)).isoformat()
CONCURRENCY = 16
ACCOUNTS = 40
STOPPED = "Stopped by a signal or a person: 16 accounts in progress were finished. The next run continues."


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=2000) as standin:
        yield standin


@pytest.fixture
def variables(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> Mapping[str, str]:
    write_settings(assets_db, concurrency=CONCURRENCY, requests_per_minute=10_000)
    with operation_db.connection() as connection:
        for number in range(ACCOUNTS):
            connection.execute(
                "insert into instagram_accounts (username, metadata, created_at) values (%s, %s, %s)",
                [f"stranger{number}", Jsonb({"entity_enrichment": {"cohort": DAY}}), DAY],
            )
    return {
        "ASSETS_DATABASE_URL": assets_db.url,
        "OPERATION_DATABASE_URL": operation_db.url,
        "GEMINI_BASE_URL": gemini.url,
        "GEMINI_API_KEY": "made-up",
    }


@pytest.fixture
def command(fast_path: Path, variables: Mapping[str, str]) -> Command:
    return Command(fast_path, variables)


def stop_in_the_middle(process: "subprocess.Popen[str]", gemini: GeminiStandin) -> tuple[int, str]:
    """Send SIGTERM once all requests are on the wire; returns the exit code and the output."""
    try:
        wait_for(lambda: gemini.requests["total"] >= CONCURRENCY, "calls on the wire")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    return process.returncode, out + (err or "")


def assert_nothing_is_lost(
    sent: int, assets_db: ClonedDatabase, operation_db: ClonedDatabase, enrich: Callable[[], None]
) -> None:
    """Check that what was sent is settled and written, and that the next run takes the rest without asking twice."""
    assert CONCURRENCY <= sent < ACCOUNTS
    assert states_of(assets_db) == {"settled": sent}
    assert reviewed_in(operation_db) == sent
    enrich()
    assert states_of(assets_db) == {"settled": ACCOUNTS}
    assert reviewed_in(operation_db) == ACCOUNTS


def states_of(database: ClonedDatabase) -> Mapping[str, int]:
    """Rows of the ledger by state."""
    with database.connection() as connection:
        rows = connection.execute("select state::text, count(*) from gemini_usage_events group by 1")
        return dict(rows.fetchall())


def reviewed_in(database: ClonedDatabase) -> int:
    """Accounts that have a review."""
    with database.connection() as connection:
        row = connection.execute(
            "select count(*) from instagram_accounts "
            "where metadata #>> '{entity_enrichment,gemini_review,status}' = 'reviewed'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def finish_with(command: Command) -> Callable[[], None]:
    def enrich() -> None:
        with GeminiStandin(latency_ms=0) as quick:
            ended = command("enrich", GEMINI_BASE_URL=quick.url)
        assert ended.code == 0, ended.said

    return enrich


def test_a_terminated_enrich_settles_what_is_on_the_wire_and_the_next_one_takes_the_rest(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    code, said = stop_in_the_middle(command.start("enrich"), gemini)
    assert code == 130, said
    assert said.strip().splitlines()[-1] == (
        "error: Interrupted. Finished work is kept; run the same command again to continue."
    )
    assert "Traceback" not in said
    assert_nothing_is_lost(gemini.requests["total"], assets_db, operation_db, finish_with(command))


@pytest.mark.nightly
def test_requests_that_hang_do_not_delay_a_terminated_enrich_and_count_as_used(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    # A request may take 60 s; communicate() gives up after 45.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        process = command.start("enrich", GEMINI_BASE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        try:
            wait_for(lambda: states_of(assets_db).get("sent") == CONCURRENCY, "calls on the wire", 60)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=45)
        finally:
            process.kill()
    assert process.returncode == 130, out + err
    states = states_of(assets_db)
    assert set(states) <= {"sent", "unknown"}, states
    assert sum(states.values()) == CONCURRENCY
    assert reviewed_in(operation_db) == 0


def test_a_terminated_run_worker_settles_what_is_on_the_wire_and_its_run_says_why_it_ended(
    command: Command,
    variables: Mapping[str, str],
    fast_path: Path,
    database_server: DatabaseServer,
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    gemini: GeminiStandin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = fast_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    with database_server.empty() as storage:
        url = storage.replace("postgresql:", "postgresql+psycopg2:")
        for name, value in {**variables, "DAGSTER_POSTGRES_URL": url}.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            repository = ReconstructableRepository.for_module("entity_pipeline.definitions", "defs")
            job = repository.get_reconstructable_job("enrichment_job")
            created = instance.create_run_for_job(
                job_def=job.get_definition(),
                job_code_origin=job.get_python_origin(),
                run_config=enrichment_config(ACCOUNTS),
                tags=range_tags(DAY, DAY),
            )
            asked = ExecuteRunArgs(
                job.get_python_origin(), created.run_id, instance.get_ref(), set_exit_code_on_failure=True
            )
            worker = subprocess.Popen(
                asked.get_command_args(),
                cwd=fast_path,
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "HOME": str(fast_path),
                    "PYTHONPATH": str(CHECKOUT),
                    "DAGSTER_POSTGRES_URL": url,
                    **variables,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            code, said = stop_in_the_middle(worker, gemini)
            assert code == 1, said
            run = instance.get_run_by_id(created.run_id)
            assert run is not None
            assert run.status is dg.DagsterRunStatus.FAILURE
            events = [entry.dagster_event for entry in instance.all_logs(created.run_id)]
            reasons = [str(event.event_specific_data) for event in events if event and event.is_failure]
            assert any(STOPPED in reason for reason in reasons), reasons
            assert any("UNEXPECTED_TERMINATION" in reason for reason in reasons), reasons
    assert_nothing_is_lost(gemini.requests["total"], assets_db, operation_db, finish_with(command))
