"""Daily partitions by UTC day: the first day, from the environment, and the newest.

What belongs to a day is decided by each domain; the first partition includes all earlier days.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import dagster as dg

from entity_pipeline.core.failures import ConfigurationFailure

_VARIABLE = "ENTITY_PIPELINE_FIRST_DAY"
DEFAULT_FIRST_DAY = date(2026, 10, 1)


def first_day(environment: Mapping[str, str], default: date = DEFAULT_FIRST_DAY) -> date:
    """The first partition: the day of `ENTITY_PIPELINE_FIRST_DAY`, or the default where it is not set.

    Raises:
        ConfigurationFailure: it is not a day, or lies in the future. Raised while the code loads, so that no run
            uses other partitions than intended.
    """
    stated = environment.get(_VARIABLE, "").strip()
    if not stated:
        return default
    try:
        # fromisoformat also takes 20261001 and 2026-W40-4, which are not names of partitions.
        day = datetime.strptime(stated, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConfigurationFailure(
            f"{_VARIABLE} is '{stated[:40]}' and must be a day such as {default.isoformat()}."
        ) from None
    if day > datetime.now(UTC).date():
        raise ConfigurationFailure(f"{_VARIABLE} is {day}, a day in the future: no partition would exist.")
    return day


def daily_partitions_from(day: date) -> dg.DailyPartitionsDefinition:
    """One partition for each UTC day from this one to today, the current day included."""
    return dg.DailyPartitionsDefinition(start_date=day.isoformat(), timezone="UTC", end_offset=1)


def last_day(now: datetime) -> date:
    """The newest partition: the UTC day of `now`."""
    return now.astimezone(UTC).date()
