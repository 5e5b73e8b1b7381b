from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from entity_pipeline.shared.runs.domain_runs import DomainRuns
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.shared.runs.two_domains import THEIRS, backfill_run, end, job_run, ticked

RUNS = DomainRuns({"rivers_job": ["rivers_levels"]})
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
OF_TUESDAY = {"dagster/partition": "2026-03-03"}
OF_ALL = range_tags("2026-03-02", "2026-03-04")


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_days_are_under_way_from_the_queue_to_the_end(instance: dg.DagsterInstance, status: str) -> None:
    job_run(instance, "rivers", dg.DagsterRunStatus(status), OF_ALL)
    assert RUNS.in_flight(instance, ["rivers_levels"]) == {MONDAY, TUESDAY, WEDNESDAY}


def test_a_backfill_counts_and_another_domain_does_not(instance: dg.DagsterInstance) -> None:
    job_run(instance, "lakes", tags=OF_ALL)
    backfill_run(instance, "lakes", tags=OF_ALL)
    assert RUNS.in_flight(instance, ["rivers_levels"]) == set()
    backfill_run(instance, "rivers", tags=OF_TUESDAY)
    assert RUNS.in_flight(instance, ["rivers_levels"]) == {TUESDAY}
    assert RUNS.in_flight(instance, ["something_else"]) == set()


def test_runs_that_failed_or_were_cancelled_are_unfinished_within_the_window(
    instance: dg.DagsterInstance,
) -> None:
    before = datetime.now(UTC)
    end(instance, job_run(instance, "rivers", tags=OF_TUESDAY), dg.DagsterRunStatus.FAILURE)
    end(
        instance,
        backfill_run(instance, "rivers", tags=range_tags("2026-03-04", "2026-03-04")),
        dg.DagsterRunStatus.CANCELED,
    )
    end(instance, job_run(instance, "rivers", tags=OF_ALL), dg.DagsterRunStatus.SUCCESS)
    end(instance, job_run(instance, "lakes", tags=OF_ALL), dg.DagsterRunStatus.FAILURE)
    after = datetime.now(UTC)
    assert RUNS.unfinished(instance, ["rivers_levels"], before, after) == {TUESDAY, WEDNESDAY}
    hour = timedelta(hours=1)
    assert RUNS.unfinished(instance, ["rivers_levels"], before - hour, before) == set()
    assert RUNS.unfinished(instance, ["rivers_levels"], after, after + hour) == set()


def test_the_runs_of_another_project_cover_no_day_of_ours(instance: dg.DagsterInstance) -> None:
    ticked(instance, "switch_off_sensor")
    job_run(instance, "rivers", tags={"dagster/partition": MONDAY.isoformat()}, location=THEIRS)
    job_run(instance, "rivers", tags={"dagster/partition": TUESDAY.isoformat()})
    assert RUNS.in_flight(instance, ["rivers_levels"]) == {TUESDAY}
    assert RUNS.in_flight(instance, ["rivers_levels"], {THEIRS}) == {MONDAY}
