"""Remove insights that are older than the settings allow, with their categories and the texts in the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.insights.queries.insights import remove_expired, without_blog
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.gemini_spend.forgotten import (
    forget_older,
    forget_subjects,
    subjects_with_texts,
)

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
    after = ""
    while subjects := patiently_on(database, partial(subjects_with_texts, step=STEP, after=after)):
        after = subjects[-1]
        gone = patiently_on(database, partial(without_blog, subjects=subjects))
        requests += patiently_on(database, partial(forget_subjects, step=STEP, subjects=gone))
    return Removed(blogs, requests)
