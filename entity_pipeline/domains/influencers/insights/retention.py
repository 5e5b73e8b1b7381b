"""Remove insights that are older than the settings allow, with their categories and the texts in the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.insights.queries.insights import gone_subjects, remove_expired
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.gemini_spend.forgotten import forget_older, forget_subjects

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """How many blogs lost their insights, and how many requests their texts."""

    blogs: int
    requests: int


def remove_old(database: Database, settings: InfluencerSettings, now: datetime | None = None) -> Removed:
    """Remove what is too old, and what is left in the ledger about blogs that were removed."""
    before = (now or datetime.now(UTC)) - timedelta(days=settings.insights_retention_days)
    blogs = requests = 0
    while expired := patiently_on(database, lambda db: remove_expired(db, before, _AT_ONCE)):
        blogs += len(expired)
    while forgotten := patiently_on(database, lambda db: forget_older(db, STEP, before)):
        requests += forgotten
    while gone := patiently_on(database, lambda db: gone_subjects(db, STEP.pipeline, STEP.name)):
        forgotten = patiently_on(database, lambda db, gone=gone: forget_subjects(db, STEP, gone))  # type: ignore[misc]
        if not forgotten:
            break
        requests += forgotten
    return Removed(blogs, requests)
