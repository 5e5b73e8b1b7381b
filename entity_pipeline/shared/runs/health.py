"""The health of all domains' runs in Dagster's records: failing jobs, and schedules that have stopped."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from entity_pipeline.shared.runs.locations import is_ours, own_locations
from entity_pipeline.shared.runs.owners import RunOwners
from entity_pipeline.shared.runs.tags import SHARED

# The job name of runs that a person or a backfill assembled from assets.
CHOSEN_ASSETS = "__ASSET_JOB"
_MOST_RUNS = 200
_MOST_TICKS = 20


@dataclass(frozen=True, slots=True)
class FailingJob:
    """A job of a domain whose newest failed run has not been followed by a success."""

    domain: str
    job: str
    run_id: str
    failed_at: datetime


def failing_jobs(
    instance: dg.DagsterInstance, owners: RunOwners, since: datetime, here: AbstractSet[str] | None = None
) -> list[FailingJob]:
    """Jobs with a failed run since then and no later successful one, by domain and name; `here` as in `our_runs`."""
    here = own_locations(instance) if here is None else here
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    newest: dict[tuple[str, str], FailingJob] = {}
    for record in instance.get_run_records(failed, limit=_MOST_RUNS):
        run = record.dagster_run
        if not is_ours(run, here):
            continue
        found = FailingJob(_domain(owners, run), run.job_name, run.run_id, _ended(record))
        known = newest.get((found.domain, found.job))
        if known is None or found.failed_at > known.failed_at:
            newest[found.domain, found.job] = found
    return [
        found
        for _, found in sorted(newest.items())
        if not _has_succeeded_since(instance, owners, found, here)
    ]


def last_decision(instance: dg.DagsterInstance, schedule: str) -> datetime | None:
    """When the schedule last made a decision, including to wait; None when it never did. A failed tick is not one."""
    decided = [
        datetime.fromtimestamp(tick.timestamp, UTC)
        for state in instance.all_instigator_state()
        if state.instigator_name == schedule
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_MOST_TICKS)
        if tick.status.value in ("SUCCESS", "SKIPPED")
    ]
    return max(decided, default=None)


def _domain(owners: RunOwners, run: dg.DagsterRun) -> str:
    """The domain of a failed run: shared, for a run over the assets of several domains."""
    domains = owners.domains(run)
    return next(iter(domains)) if len(domains) == 1 else SHARED


def _has_succeeded_since(
    instance: dg.DagsterInstance, owners: RunOwners, failing: FailingJob, here: AbstractSet[str]
) -> bool:
    good = dg.RunsFilter(
        job_name=failing.job,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        updated_after=failing.failed_at,
    )
    return any(
        _ended(record) > failing.failed_at
        and is_ours(record.dagster_run, here)
        and _domain(owners, record.dagster_run) == failing.domain
        for record in instance.get_run_records(good, limit=_MOST_RUNS)
    )


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    return record.update_timestamp.astimezone(UTC)
