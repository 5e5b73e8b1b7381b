"""Ticks and runs from a real instance of Dagster, and what is said without one."""

import threading
from datetime import date

import dagster as dg
import pytest

from entity_pipeline.admin import dagster_records
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline_tests.admin.conftest import no_dagster


def test_runs_in_flight_have_links_and_keep_their_cohort_from_the_plan() -> None:
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            job_def=dg.GraphDefinition(name="enrichment_job").to_job(),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "2026-11-01"},
        )
        figures, in_flight = DagsterRecords("http://127.0.0.1:3000", lambda: instance).figures()
    assert figures.away is None
    assert [(found.job, found.partitions, found.url) for found in figures.runs] == [
        ("enrichment_job", "2026-11-01", f"http://127.0.0.1:3000/runs/{run.run_id}")
    ]
    assert in_flight == {date(2026, 11, 1)}


def test_without_dagsters_storage_the_page_says_so() -> None:
    records = DagsterRecords(None, no_dagster)
    figures, in_flight = records.figures()
    assert figures.away is not None
    assert "DAGSTER_POSTGRES_URL" in figures.away
    assert (figures.runs, figures.ticks, in_flight) == ([], [], frozenset())
    assert records.problem() is not None


def test_without_dagster_home_the_page_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert "DAGSTER_HOME is not set" in (DagsterRecords().figures()[0].away or "")


def test_a_storage_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_records, "PATIENCE_S", 0.05)
    answered = threading.Event()

    def hang() -> dg.DagsterInstance:
        answered.wait(30)
        raise dg.DagsterError("late")

    figures, _ = DagsterRecords(None, hang).figures()
    answered.set()
    assert "did not answer" in (figures.away or "")
