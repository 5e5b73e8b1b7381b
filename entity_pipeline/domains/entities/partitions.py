"""Daily partitions: of `tagged_usernames` by day of collection, in later stages by cohort of accounts.

The first partition includes its day and all earlier ones, so that nothing old is left out.
"""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from entity_pipeline.shared.runs.partitions import first_day

FIRST_DAY = first_day(os.environ, default=date(2026, 10, 1))

daily_partitions = dg.DailyPartitionsDefinition(
    start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1
)

# Dagster asks how long ago any partition was last finished. New days come daily, and a backlog may be a week old.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=7), warn_window=timedelta(days=3))


def last_day(now: datetime) -> date:
    """The newest partition: the UTC day of `now`."""
    return now.astimezone(UTC).date()


def cohort_days(partition_keys: Sequence[str]) -> list[date]:
    """Partition keys as days."""
    return [date.fromisoformat(key) for key in partition_keys]
