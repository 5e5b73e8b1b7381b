"""Alerts of the domain: accounts that wait for too long, and a schedule that no longer asks for them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.backlog import Backlog
from entity_pipeline.domains.entities.partitions import every_cohort
from entity_pipeline.shared.alerts.sources.runs import silence_of

SCHEDULE = "enrichment_schedule"
WHAT_TO_DO: Mapping[str, str] = {
    "backlog_old": "Raise daily_grounding_cap or accept the delay; the queue shows which accounts wait."
}


def entity_alerts(look: Look) -> Iterator[Alert]:
    """The alerts that are true while the domain is switched on."""
    with look.assets_db.connection() as connection:
        oldest = Backlog(connection, every_cohort(look.now)).oldest_review()
    if oldest is None:
        return
    age = look.now - oldest.created_at
    if age > timedelta(hours=look.limits.backlog_hours):
        days = age / timedelta(days=1)
        says = f"{oldest.waiting:,} accounts wait for a review, the oldest for {days:.1f} days."
        yield Alert(f"{KEY}/backlog_old", says, WHAT_TO_DO["backlog_old"])
    yield from silence_of(KEY, SCHEDULE, f"{oldest.waiting:,} accounts wait", look)
