from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.shared.runs.days import contiguous, days_of
from entity_pipeline.shared.runs.tags import range_tags

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


@pytest.mark.parametrize(
    ("days", "longest_step", "ranges"),
    [
        ([], 1, []),
        ([TUESDAY], 1, [(TUESDAY, TUESDAY)]),
        ([WEDNESDAY, MONDAY, TUESDAY, MONDAY], 1, [(MONDAY, WEDNESDAY)]),
        ([MONDAY, WEDNESDAY], 1, [(MONDAY, MONDAY), (WEDNESDAY, WEDNESDAY)]),
        ([MONDAY, WEDNESDAY], 2, [(MONDAY, WEDNESDAY)]),
        ([date(2026, 2, 28), date(2026, 3, 1)], 1, [(date(2026, 2, 28), date(2026, 3, 1))]),
    ],
)
def test_days_become_ranges(days: list[date], longest_step: int, ranges: list[tuple[date, date]]) -> None:
    assert contiguous(days, longest_step=longest_step) == ranges


@given(st.sets(st.integers(0, 60)), st.integers(1, 31))
def test_ranges_hold_every_day_and_are_further_apart_than_a_step(
    offsets: set[int], longest_step: int
) -> None:
    days = {MONDAY + timedelta(days=offset) for offset in offsets}
    ranges = contiguous(days, longest_step=longest_step)
    assert all(any(first <= day <= last for first, last in ranges) for day in days)
    assert {day for pair in ranges for day in pair} <= days
    assert all((later[0] - earlier[1]).days > longest_step for earlier, later in pairwise(ranges))


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({}, []),
        ({"dagster/partition": "2026-03-02"}, [MONDAY]),
        (range_tags("2026-03-02", "2026-03-04"), [MONDAY, TUESDAY, WEDNESDAY]),
        ({**range_tags("2026-03-02", "2026-03-02"), "dagster/partition": "2026-03-04"}, [MONDAY]),
    ],
)
def test_a_runs_tags_name_its_days(tags: dict[str, str], days: list[date]) -> None:
    assert days_of(tags) == days


@pytest.mark.parametrize("key", ["eu|2026-03-02", "20260302", "2026-02-30", "2026-W10-1", "latest", ""])
def test_partitions_of_other_assets_are_not_days(key: str) -> None:
    assert list(days_of({"dagster/partition": key})) == []
    assert list(days_of(range_tags(key, "2026-03-04"))) == []


def test_a_range_of_other_assets_does_not_fill_the_memory() -> None:
    assert len(days_of(range_tags("1000-01-01", "2999-12-31"))) < 40_000
