"""Daily partitions: of `tagged_usernames` by day of collection, in later stages by cohort of accounts.

The first partition includes its day and all earlier ones, so that nothing old is left out.
"""

import os
from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg

from entity_pipeline.shared.runs.partitions import daily_partitions_from, first_day, last_day

__all__ = ["FIRST_DAY", "FRESHNESS", "cohort_days", "daily_partitions", "last_day"]

FIRST_DAY = first_day(os.environ)

daily_partitions = daily_partitions_from(FIRST_DAY)

# Dagster asks how long ago any partition was last finished. New days come daily, and a backlog may be a week old.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=7), warn_window=timedelta(days=3))


def cohort_days(partition_keys: Sequence[str]) -> list[date]:
    """Partition keys as days."""
    return [date.fromisoformat(key) for key in partition_keys]
