from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.shared.alerts.sources.runs import run_alerts, silence_of
from entity_pipeline.shared.runs.owners import owners
from entity_pipeline_tests.shared.alerts.looks import NOW, look
from entity_pipeline_tests.shared.runs.two_domains import (
    LAKES,
    RIVERS,
    backfill_run,
    end,
    job_run,
    queueing_instance,
)

OWNERS = owners([("rivers", RIVERS), ("lakes", LAKES)])
BAD, GOOD = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def instance(fast_path: Path) -> Iterator[dg.DagsterInstance]:
    with queueing_instance(fast_path) as made:
        yield made


def test_each_failing_job_of_each_domain_is_an_alert_of_its_own(instance: dg.DagsterInstance) -> None:
    river = end(instance, job_run(instance, "rivers"), BAD)
    lake = end(instance, job_run(instance, "lakes"), BAD)
    chosen = end(instance, backfill_run(instance, "lakes"), BAD)
    alerts = {alert.key: alert for alert in run_alerts(instance, OWNERS)(look())}
    assert {key: alert.run_id for key, alert in alerts.items()} == {
        "rivers/run_failed:rivers_job": river,
        "lakes/run_failed:lakes_job": lake,
        "lakes/run_failed:__ASSET_JOB": chosen,
    }
    assert alerts["lakes/run_failed:__ASSET_JOB"].says.startswith("A run of chosen assets failed at ")
    end(instance, job_run(instance, "rivers"), GOOD)
    keys = {alert.key for alert in run_alerts(instance, OWNERS)(look())}
    assert keys == {"lakes/run_failed:lakes_job", "lakes/run_failed:__ASSET_JOB"}


@pytest.mark.parametrize(
    ("minutes", "hours", "is_silent"), [(60, 1.0, False), (61, 1.0, True), (61, 2.0, False), (31, 0.5, True)]
)
def test_a_schedule_is_silent_after_the_hours_that_are_set(
    minutes: int, hours: float, is_silent: bool
) -> None:
    seen = look(
        limits=NotifySettings(silent_after_hours=hours),
        decided_at={"tide_schedule": NOW - timedelta(minutes=minutes)}.__getitem__,
    )
    alerts = list(silence_of("rivers", "tide_schedule", "3 rivers wait", seen))
    assert [alert.key for alert in alerts] == (["rivers/scheduler_silent:tide_schedule"] if is_silent else [])
    for alert in alerts:
        assert "while 3 rivers wait" in alert.says
        assert "tide_schedule is on in the Dagster UI" in alert.what_to_do
