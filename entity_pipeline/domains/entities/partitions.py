"""Daily partitions: of `tagged_usernames` by day of collection, in later stages by cohort of accounts.

The first partition includes its day and all earlier ones, so that nothing old is left out.
"""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime

import dagster as dg

from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortProgress, CohortRange
from entity_pipeline.shared.runs.partitions import first_day

FIRST_DAY = first_day(os.environ, default=date(2026, 10, 1))

daily_partitions = dg.DailyPartitionsDefinition(
    start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1
)


def last_day(now: datetime) -> date:
    """The newest partition: the UTC day of `now`."""
    return now.astimezone(UTC).date()


def cohort_days(partition_keys: Sequence[str]) -> list[date]:
    """Partition keys as days."""
    return [date.fromisoformat(key) for key in partition_keys]


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
