"""Alerts about runs of all domains: failing jobs, however they were launched, and schedules that have stopped.

Failed runs are read from Dagster's records and not by a run failure sensor, which would lose the alert when the
webhook is down at that moment.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.alerts import Alert, AlertSource, Look
from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.shared.runs.health import CHOSEN_ASSETS, failing_jobs
from entity_pipeline.shared.runs.owners import RunOwners

WHAT_TO_DO: Mapping[str, str] = {
    "run_failed": "Open the run, read the last error, remove its cause and run it again.",
    "scheduler_silent": "Check that dagster-daemon runs and that {schedule} is on in the Dagster UI.",
}
_LOOKED_AT = timedelta(days=1)


def run_alerts(
    instance: dg.DagsterInstance, owners: RunOwners, here: AbstractSet[str] | None = None
) -> AlertSource:
    """One alert for each failing job of each domain, even while the domain is switched off."""

    def alerts(_: Look) -> Iterator[Alert]:
        # By this machine's clock, like Dagster's records.
        for failing in failing_jobs(instance, owners, datetime.now(UTC) - _LOOKED_AT, here):
            what = "chosen assets" if failing.job == CHOSEN_ASSETS else failing.job
            says = f"A run of {what} failed at {minute_in_words(failing.failed_at)}, and no later one has succeeded."
            key = f"{failing.domain}/run_failed:{failing.job}"
            yield Alert(key, says, WHAT_TO_DO["run_failed"], run_id=failing.run_id)

    return alerts


def silence_of(domain: str, schedule: str, waiting: str, look: Look) -> Iterator[Alert]:
    """An alert for a domain's source when its schedule has made no decision for a long time although work waits.

    `waiting` names the work: ``"12 accounts wait"``.
    """
    seen = look.decided_at(schedule)
    if look.now - seen > timedelta(hours=look.limits.silent_after_hours):
        says = f"{schedule} has made no decision since {minute_in_words(seen)}, while {waiting}."
        what_to_do = WHAT_TO_DO["scheduler_silent"].format(schedule=schedule)
        yield Alert(f"{domain}/scheduler_silent:{schedule}", says, what_to_do)
