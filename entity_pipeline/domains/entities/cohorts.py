"""The cohorts that a run or a planner asks the database about, from the partitions that exist."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortProgress, CohortRange
from entity_pipeline.domains.entities.partitions import FIRST_DAY, cohort_days, last_day


def cohort_range(partition_keys: Sequence[str]) -> CohortRange:
    """The cohorts of a run; its partitions are always one range without gaps."""
    days = cohort_days(partition_keys)
    return CohortRange(min(days), max(days), FIRST_DAY, last_day(datetime.now(UTC)))


def every_cohort(now: datetime) -> CohortRange:
    """All cohorts that exist at `now`."""
    return CohortRange(FIRST_DAY, last_day(now), FIRST_DAY, last_day(now))


def pending_by_cohort(progress: Sequence[CohortProgress], *, links: bool) -> dict[date, int]:
    """The number of pending accounts per cohort: pending reviews, and for links also pending decisions."""
    return {item.cohort: item.reviews_pending + (item.undecided if links else 0) for item in progress}
