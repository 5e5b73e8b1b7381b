"""The first day of the daily partitions, from the environment."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from entity_pipeline.core.failures import ConfigurationFailure

_VARIABLE = "ENTITY_PIPELINE_FIRST_DAY"


def first_day(environment: Mapping[str, str], default: date) -> date:
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
