"""Alerts of the domain: accounts that wait too long, a schedule that has stopped, and a list that is behind."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.backlog import Backlog
from entity_pipeline.domains.entities.accounts.enrichment_queue import LIST_IS_LATE
from entity_pipeline.domains.entities.accounts.queries.queue_rows import Sweep, read_sweep
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.shared.alerts.sources.runs import silence_of

SCHEDULE = "enrichment_schedule"
SWEEPER = "changed_accounts_sensor"
WHAT_TO_DO: Mapping[str, str] = {
    "backlog_old": "Raise daily_grounding_cap or accept the delay; the queue shows which accounts wait.",
    "list_late": f"Check that {SWEEPER} is on in the Dagster UI, and read what its last tick says.",
}


def entity_alerts(look: Look) -> Iterator[Alert]:
    """The alerts that are true while the domain is switched on."""
    with look.assets_db.connection() as connection:
        oldest = Backlog(connection, every_cohort(look.now)).oldest_review()
        sweep = read_sweep(connection)
    if sweep is not None:
        yield from _late_list(sweep, look)
    if oldest is None:
        return
    age = look.now - oldest.created_at
    if age > timedelta(hours=look.limits.backlog_hours):
        days = age / timedelta(days=1)
        says = f"{oldest.waiting:,} accounts wait for a review, the oldest for {days:.1f} days."
        yield Alert(f"{KEY}/backlog_old", says, WHAT_TO_DO["backlog_old"])
    yield from silence_of(KEY, SCHEDULE, f"{oldest.waiting:,} accounts wait", look)


def _late_list(sweep: Sweep, look: Look) -> Iterator[Alert]:
    """The list for plans and pages is behind the accounts. Before it is filled, its sensor's ticks count."""
    if look.now - (sweep.as_of or look.decided_at(SWEEPER)) <= LIST_IS_LATE:
        return
    if sweep.as_of is None:
        says = "The list of accounts is not filled, so no account is planned."
    else:
        as_of = minute_in_words(sweep.as_of)
        says = f"The list of accounts is as of {as_of}; later changes are neither planned nor shown."
    yield Alert(f"{KEY}/list_late", says, WHAT_TO_DO["list_late"])
