"""Days of runs as plain values: the days that a run's tags name, and ranges of days that a run can cover."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from entity_pipeline.shared.runs.tags import range_tags

_DAY = re.compile(r"[12]\d{3}-\d\d-\d\d", re.ASCII)
_LONGEST = timedelta(days=36_600)


def contiguous(days: Iterable[date], *, longest_step: int = 1) -> list[tuple[date, date]]:
    """The days as inclusive ranges in order, since a run covers one range.

    A range continues over a gap when the next day is at most `longest_step` days away.
    """
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges and (day - ranges[-1][1]).days <= longest_step:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def days_of(tags: Mapping[str, str]) -> Sequence[date]:
    """The days of a run by its tags; empty for a run without partitions, or with ones that are not days."""
    first, last = (_day(tags.get(name)) for name in range_tags("", ""))
    if first and last:
        end = min(last, first + _LONGEST)
        return [date.fromordinal(day) for day in range(first.toordinal(), end.toordinal() + 1)]
    one = _day(tags.get("dagster/partition"))
    return [one] if one else []


def _day(key: str | None) -> date | None:
    """The day that a partition's key names: other assets may have any text as key, ``eu|2026-11-01`` for example."""
    if key is None or not _DAY.fullmatch(key):
        return None
    try:
        return date.fromisoformat(key)
    except ValueError:
        return None
