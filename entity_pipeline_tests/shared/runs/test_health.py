from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from entity_pipeline.shared.runs.health import CHOSEN_ASSETS, failing_jobs, last_decision
from entity_pipeline.shared.runs.owners import owners
from entity_pipeline.shared.runs.tags import SHARED
from entity_pipeline_tests.shared.runs.ticks import decided
from entity_pipeline_tests.shared.runs.two_domains import (
    LAKES,
    RIVERS,
    THEIRS,
    backfill_run,
    end,
    job_run,
    ticked,
)

OWNERS = owners([("rivers", RIVERS), ("lakes", LAKES)])
GOOD, BAD, STOPPED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


def failing(instance: dg.DagsterInstance) -> list[tuple[str, str, str]]:
    since = datetime.now(UTC) - timedelta(days=1)
    return [(found.domain, found.job, found.run_id) for found in failing_jobs(instance, OWNERS, since)]


def test_a_job_fails_from_a_failed_run_until_one_succeeds(instance: dg.DagsterInstance) -> None:
    end(instance, job_run(instance, "rivers"), GOOD)
    end(instance, job_run(instance, "lakes"), STOPPED)
    assert failing(instance) == []
    end(instance, job_run(instance, "rivers"), BAD)
    newest = end(instance, job_run(instance, "rivers"), BAD)
    other = end(instance, job_run(instance, "lakes"), BAD)
    assert failing(instance) == [("lakes", "lakes_job", other), ("rivers", "rivers_job", newest)]
    end(instance, job_run(instance, "rivers"), GOOD)
    assert failing(instance) == [("lakes", "lakes_job", other)]
    assert failing_jobs(instance, OWNERS, datetime.now(UTC) + timedelta(minutes=1)) == []


def test_a_backfill_of_one_domain_does_not_make_good_that_of_another(instance: dg.DagsterInstance) -> None:
    failed = end(instance, backfill_run(instance, "rivers"), BAD)
    end(instance, backfill_run(instance, "lakes"), GOOD)
    assert failing(instance) == [("rivers", CHOSEN_ASSETS, failed)]
    end(instance, backfill_run(instance, "rivers"), GOOD)
    assert failing(instance) == []


def test_a_run_over_the_assets_of_two_domains_is_shared(instance: dg.DagsterInstance) -> None:
    failed = end(instance, backfill_run(instance, "rivers", "lakes"), BAD)
    assert failing(instance) == [(SHARED, CHOSEN_ASSETS, failed)]


def test_a_failed_tick_decides_nothing_and_each_schedule_decides_for_itself(
    instance: dg.DagsterInstance,
) -> None:
    assert last_decision(instance, "tide_schedule") is None
    state = decided(instance, TickStatus.SKIPPED, minutes_ago=90, schedule="tide_schedule")
    decided(instance, TickStatus.FAILURE, minutes_ago=1, schedule="tide_schedule", known=state)
    decided(instance, TickStatus.SKIPPED, minutes_ago=5, schedule="level_schedule")
    found = last_decision(instance, "tide_schedule")
    assert found is not None
    assert timedelta(minutes=89) < datetime.now(UTC) - found < timedelta(minutes=91)


def test_a_failure_of_another_project_is_not_ours_and_its_success_cures_nothing(
    instance: dg.DagsterInstance,
) -> None:
    ticked(instance, "switch_off_sensor")
    since = datetime.now(UTC) - timedelta(minutes=1)
    end(instance, job_run(instance, "lakes", location=THEIRS), dg.DagsterRunStatus.FAILURE)
    ours = end(instance, job_run(instance, "rivers"), dg.DagsterRunStatus.FAILURE)
    end(instance, job_run(instance, "rivers", location=THEIRS), dg.DagsterRunStatus.SUCCESS)
    found = failing_jobs(instance, OWNERS, since)
    assert [(job.domain, job.job, job.run_id) for job in found] == [("rivers", "rivers_job", ours)]
