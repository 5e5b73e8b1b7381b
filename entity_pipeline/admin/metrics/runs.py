"""Metrics from Dagster's records: runs in flight, and jobs whose last run failed."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import OTHER, Asking, Described, MetricsPart, Samples, by_value
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT
from entity_pipeline.shared.runs.health import failing_jobs
from entity_pipeline.shared.runs.locations import our_runs
from entity_pipeline.shared.runs.owners import RunOwners

FAMILIES: Mapping[str, Described] = {
    "runs_in_flight": Described("Queued and running runs.", ("status",)),
    "job_failing": Described("Whether the job failed within 24 hours and has not succeeded since.", ("job",)),
}
_RECENT = timedelta(days=1)


def runs_part(at: Installation) -> MetricsPart:
    """The part of Dagster's records, which have their own time limit."""
    jobs = at.automation.jobs()

    def read(asking: Asking) -> Mapping[str, Samples]:
        found = at.dagster.asked(partial(_runs, at.automation.owners))
        if found is None:
            asking.is_up = False
            return {}
        in_flight, failing = found
        others = bool(failing - set(jobs))
        return {
            "runs_in_flight": by_value([status.value for status in IN_FLIGHT], in_flight),
            "job_failing": [*(((job,), job in failing) for job in jobs), ((OTHER,), others)],
        }

    return MetricsPart(name="dagster", families=FAMILIES, read=read)


def _runs(owners: RunOwners, instance: dg.DagsterInstance) -> tuple[Mapping[str, int], frozenset[str]]:
    in_flight = Counter(run.status.value for run in our_runs(instance, dg.RunsFilter(statuses=IN_FLIGHT)))
    return in_flight, frozenset(
        job.job for job in failing_jobs(instance, owners, datetime.now(UTC) - _RECENT)
    )
