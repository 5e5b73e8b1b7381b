"""Runs of one domain in Dagster's records: which days are in flight, and which did not finish.

Decisions about data are made from the databases, never from these records.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from entity_pipeline.shared.runs.days import days_of
from entity_pipeline.shared.runs.locations import our_runs

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class DomainRuns:
    """The runs of a domain's jobs, and of backfills over its assets. `assets_of_job` has the assets of each job."""

    assets_of_job: Mapping[str, Sequence[str]]

    def in_flight(
        self, instance: dg.DagsterInstance, assets: Sequence[str], here: AbstractSet[str] | None = None
    ) -> set[date]:
        """Days of the queued and running runs that cover one of the assets; `here` as in `our_runs`."""
        return self._days(instance, assets, dg.RunsFilter(statuses=IN_FLIGHT), here)

    def any_in_flight(
        self, instance: dg.DagsterInstance, assets: Sequence[str], here: AbstractSet[str] | None = None
    ) -> bool:
        """Whether a queued or running run covers one of the assets, of whatever days; `here` as in `our_runs`."""
        keys = {dg.AssetKey(asset) for asset in assets}
        runs = our_runs(instance, dg.RunsFilter(statuses=IN_FLIGHT), here)
        return any(keys & self._assets(run) for run in runs)

    def unfinished(
        self,
        instance: dg.DagsterInstance,
        assets: Sequence[str],
        since: datetime,
        until: datetime,
        here: AbstractSet[str] | None = None,
    ) -> set[date]:
        """Days of the runs over one of the assets that failed or were cancelled between these instants, included."""
        after = since - timedelta(microseconds=1)  # Dagster excludes both bounds
        ended = dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=after, updated_before=until)
        return self._days(instance, assets, ended, here)

    def _days(
        self,
        instance: dg.DagsterInstance,
        assets: Sequence[str],
        which: dg.RunsFilter,
        here: AbstractSet[str] | None,
    ) -> set[date]:
        keys = {dg.AssetKey(asset) for asset in assets}
        runs = our_runs(instance, which, here)
        return {day for run in runs if keys & self._assets(run) for day in days_of(run.tags)}

    def _assets(self, run: dg.DagsterRun) -> set[dg.AssetKey]:
        if run.asset_selection:
            return set(run.asset_selection)
        return {dg.AssetKey(asset) for asset in self.assets_of_job.get(run.job_name, ())}
