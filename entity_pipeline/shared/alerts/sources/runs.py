"""Alerts about runs of all domains: jobs that fail, whoever launched them, and schedules that no longer decide.

Failed runs are read from Dagster's records and not by a run failure sensor, which would lose the alert when the
webhook is away at that moment.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.alerts import Alert, AlertSource, Look, in_words
from entity_pipeline.shared.runs.health import CHOSEN_ASSETS, failing_jobs
from entity_pipeline.shared.runs.owners import RunOwners

WHAT_TO_DO: Mapping[str, str] = {
    "run_failed": "Open the run, read the last error and run it again when its cause is gone.",
    "scheduler_silent": "Check that dagster-daemon runs and that {schedule} is on in the Dagster UI.",
}
_LOOKED_AT = timedelta(days=1)


def run_alerts(instance: dg.DagsterInstance, owners: RunOwners) -> AlertSource:
    """One alert for each job of each domain that fails, also while the domain is switched off."""

    def alerts(_: Look) -> Iterator[Alert]:
        # On this machine's clock, as the records are.
        for failing in failing_jobs(instance, owners, datetime.now(UTC) - _LOOKED_AT):
            what = "chosen assets" if failing.job == CHOSEN_ASSETS else failing.job
            says = f"A run of {what} failed at {in_words(failing.failed_at)}, and no later one has succeeded."
            key = f"{failing.domain}/run_failed:{failing.job}"
            yield Alert(key, says, WHAT_TO_DO["run_failed"], run_id=failing.run_id)

    return alerts


def silence_of(domain: str, schedule: str, waiting: str, look: Look) -> Iterator[Alert]:
    """For a domain's source: its schedule has not decided anything for long, although something waits.

    `waiting` says what: ``"12 accounts wait"``.
    """
    seen = look.decided_at(schedule)
    if look.now - seen > timedelta(hours=look.limits.silent_after_hours):
        says = f"{schedule} has not decided since {in_words(seen)}, while {waiting}."
        what_to_do = WHAT_TO_DO["scheduler_silent"].format(schedule=schedule)
        yield Alert(f"{domain}/scheduler_silent:{schedule}", says, what_to_do)
