"""Days of runs as plain values: the days that a run's tags name, and ranges of days that a run can cover."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from entity_pipeline.shared.runs.tags import range_tags


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
    """The days of a run by its tags; empty for a run without partitions."""
    first, last = (tags.get(name) for name in range_tags("", ""))
    if first and last:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        return [date.fromordinal(day) for day in range(start.toordinal(), end.toordinal() + 1)]
    return [date.fromisoformat(key)] if (key := tags.get("dagster/partition")) else []
