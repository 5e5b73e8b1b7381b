"""Two made-up domains in Dagster, `rivers` and `lakes`, whose runs are recorded and never executed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg

# Only Dagster's own services queue a run, so there is no public way to make one for a test.
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from entity_pipeline.shared.runs.tags import job_tags

DOMAINS = ("rivers", "lakes")
OURS, THEIRS = "entity_pipeline", "another_project"
_EVENTS = {
    dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterRunStatus.CANCELED: dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
}
daily = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-04-01", timezone="UTC")


def definitions_of(domain: str) -> dg.Definitions:
    """One partitioned asset, `<domain>_levels`, that depends on the other domain's, and one job over it."""
    other = next(name for name in DOMAINS if name != domain)

    @dg.asset(
        name=f"{domain}_levels",
        deps=[f"{other}_levels"] if domain == "lakes" else [],
        partitions_def=daily,
        group_name=domain,
    )
    def levels() -> None:
        """Levels of water."""

    job = dg.define_asset_job(
        f"{domain}_job",
        selection=dg.AssetSelection.assets(levels),
        tags=job_tags(domain, longest=timedelta(hours=1)),
    )
    return dg.Definitions(assets=[levels], jobs=[job])


RIVERS, LAKES = (definitions_of(domain) for domain in DOMAINS)
BOTH = dg.Definitions.merge(RIVERS, LAKES)


@contextmanager
def queueing_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk with a queue, as production has."""
    (home / "dagster.yaml").write_text(
        "run_coordinator:\n  module: dagster.core.run_coordinator\n  class: QueuedRunCoordinator\n"
        "telemetry:\n  enabled: false\n"
    )
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def job_run(
    instance: dg.DagsterInstance,
    domain: str,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    tags: dict[str, str] | None = None,
    location: str = OURS,
) -> dg.DagsterRun:
    """A run of the domain's job, or of one with the same name and tags at another location."""
    job = BOTH.resolve_job_def(f"{domain}_job")
    return instance.create_run_for_job(
        job, tags={**job.tags, **(tags or {})}, status=status, remote_job_origin=_origin(job.name, location)
    )


def backfill_run(
    instance: dg.DagsterInstance,
    *domains: str,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    tags: dict[str, str] | None = None,
    location: str = OURS,
) -> dg.DagsterRun:
    """A run over the assets of these domains as the UI makes it: without a tag of ours."""
    return instance.create_run_for_job(
        BOTH.resolve_implicit_global_asset_job_def(),
        tags={"dagster/backfill": "abcdefgh", **(tags or {})},
        status=status,
        asset_selection=frozenset(dg.AssetKey(f"{domain}_levels") for domain in domains),
        remote_job_origin=_origin("__ASSET_JOB", location),
    )


def end(instance: dg.DagsterInstance, run: dg.DagsterRun, how: dg.DagsterRunStatus) -> str:
    """End the run now; returns its id."""
    instance.report_dagster_event(dg.DagsterEvent(_EVENTS[how].value, run.job_name), run.run_id)
    return run.run_id


def ticked(instance: dg.DagsterInstance, sensor: str, location: str = OURS) -> None:
    """Note that the daemon has evaluated a sensor of the location."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    origin = RemoteInstigatorOrigin(repository, sensor)
    data = SensorInstigatorData(min_interval=30)
    running = InstigatorStatus.RUNNING
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, running, data))


def _origin(job: str, location: str = OURS) -> RemoteJobOrigin:
    """The place the job would be loaded from, without which a run can't be queued."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    return RemoteJobOrigin(repository, job)
