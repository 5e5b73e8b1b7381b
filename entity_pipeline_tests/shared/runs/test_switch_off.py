from datetime import timedelta
from typing import Any, ClassVar

import dagster as dg
import pytest

# What the daemon puts into a sensor's context has no public constructor.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin

from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.settings import Closed, DomainSettings, Gate, Open, S
from entity_pipeline.shared.runs.owners import owners
from entity_pipeline.shared.runs.skips import skip_reason
from entity_pipeline.shared.runs.switch_off import switch_off_sensor
from entity_pipeline.shared.runs.tags import SHARED, job_tags
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.shared.runs.two_domains import (
    BOTH,
    LAKES,
    OURS,
    RIVERS,
    THEIRS,
    backfill_run,
    job_run,
    ticked,
)

QUEUED = dg.DagsterRunStatus.QUEUED
_HOUR = timedelta(hours=1)


class OfRivers(DomainSettings):
    """Settings of the domain `rivers`."""

    row: ClassVar[str] = "rivers"


class OfLakes(DomainSettings):
    """Settings of the domain `lakes`."""

    row: ClassVar[str] = "lakes"


class Gates(FakeSettings):
    """Gates by the settings model of the domain."""

    def __init__(self, **closed: str) -> None:
        super().__init__(Closed.because("unused"))
        self.closed = closed

    def gate(self, model: type[S]) -> Gate[S]:
        said = self.closed.get(model.row)
        if said == "away":
            raise DatabaseUnavailable("The settings can't be read.")
        return Closed.because(said) if said else Open(model())


DOMAINS = [
    Domain(key="rivers", summary="", settings=OfRivers, definitions=lambda: RIVERS),
    Domain(key="lakes", summary="", settings=OfLakes, definitions=lambda: LAKES),
]
SENSOR: Any = switch_off_sensor(DOMAINS, owners([("rivers", RIVERS), ("lakes", LAKES)]))


def tick(instance: dg.DagsterInstance, gates: Gates, location: str | None = None) -> str:
    with dg.build_sensor_context(
        instance=instance, resources={"settings": gates}, definitions=BOTH
    ) as context:
        if location is not None:  # as the daemon gives it
            context._code_location_origin = RegisteredCodeLocationOrigin(location)
        data = SENSOR.evaluate_tick(context)
    assert skip_reason(data.cursor, data.skip_message) is not None, "the page can't say it in Korean"
    return str(data.skip_message)


def queue_of(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[QUEUED]))}


@pytest.mark.parametrize("told_by", ["the daemon", "earlier ticks"])
def test_the_queue_of_another_project_is_left_alone(instance: dg.DagsterInstance, told_by: str) -> None:
    ours = [job_run(instance, "rivers", QUEUED), backfill_run(instance, "rivers", status=QUEUED)]
    theirs = [
        job_run(instance, "rivers", QUEUED, location=THEIRS),
        backfill_run(instance, "rivers", status=QUEUED, location=THEIRS),
    ]
    if told_by == "earlier ticks":
        ticked(instance, "switch_off_sensor")
        ticked(instance, "their_sensor", THEIRS)
    said = tick(instance, Gates(rivers="Switched off."), OURS if told_by == "the daemon" else None)
    assert said == "rivers: Switched off. 2 queued runs were cancelled."
    assert queue_of(instance) == {run.run_id for run in theirs}
    assert {_status(instance, run) for run in ours} == {"CANCELED"}


def test_switching_one_domain_off_leaves_the_queue_of_the_other(instance: dg.DagsterInstance) -> None:
    ours = [job_run(instance, "rivers", QUEUED), backfill_run(instance, "rivers", status=QUEUED)]
    theirs = [job_run(instance, "lakes", QUEUED), backfill_run(instance, "lakes", status=QUEUED)]
    both = backfill_run(instance, "rivers", "lakes", status=QUEUED)
    shared = instance.create_run_for_job(
        BOTH.resolve_job_def("rivers_job"),
        tags=job_tags(SHARED, longest=_HOUR),
        status=QUEUED,
        remote_job_origin=theirs[0].remote_job_origin,
    )
    started = job_run(instance, "rivers")
    said = tick(instance, Gates(rivers="Switched off."))
    assert said == "rivers: Switched off. 2 queued runs were cancelled."
    assert queue_of(instance) == {run.run_id for run in (*theirs, both, shared)}
    assert {_status(instance, run) for run in ours} == {"CANCELED"}
    assert _status(instance, started) == "STARTED"
    assert tick(instance, Gates(rivers="Switched off.")) == "rivers: Switched off. No run was queued."


def test_a_run_for_two_domains_goes_when_both_are_off(instance: dg.DagsterInstance) -> None:
    backfill_run(instance, "rivers", "lakes", status=QUEUED)
    said = tick(instance, Gates(rivers="Off.", lakes="Off."))
    assert said == "rivers: Off. 1 queued runs were cancelled. lakes: Off. 1 queued runs were cancelled."
    assert queue_of(instance) == set()


def test_while_every_domain_is_on_every_queue_is_left_alone(instance: dg.DagsterInstance) -> None:
    queued = {job_run(instance, domain, QUEUED).run_id for domain in ("rivers", "lakes")}
    assert tick(instance, Gates()) == "Every domain is switched on."
    assert queue_of(instance) == queued


def test_a_gate_that_cannot_be_read_is_closed(instance: dg.DagsterInstance) -> None:
    job_run(instance, "lakes", QUEUED)
    said = tick(instance, Gates(lakes="away"))
    assert said == "lakes: The settings can't be read. 1 queued runs were cancelled."


def _status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value
