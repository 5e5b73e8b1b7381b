"""Daily partitions by the UTC day on which a task was made.

The first partition includes its day and all earlier ones, so that no task is left out.
"""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from entity_pipeline.shared.runs.partitions import daily_partitions_from, first_day

FIRST_DAY = first_day(os.environ)

daily_partitions = daily_partitions_from(FIRST_DAY)


def day_of(made_at: datetime) -> date:
    """The partition of a task."""
    return max(FIRST_DAY, made_at.astimezone(UTC).date())


def span_of(first: date, last: date) -> tuple[datetime, datetime]:
    """From when and before when the tasks of these partitions were made, both included."""
    since = datetime.min.replace(tzinfo=UTC) if first <= FIRST_DAY else datetime.combine(first, time(), UTC)
    return since, datetime.combine(last + timedelta(days=1), time(), UTC)


def span_of_keys(partition_keys: Sequence[str]) -> tuple[datetime, datetime]:
    """The same for the partitions of a run, which are always one range without gaps."""
    days = [date.fromisoformat(key) for key in partition_keys]
    return span_of(min(days), max(days))
