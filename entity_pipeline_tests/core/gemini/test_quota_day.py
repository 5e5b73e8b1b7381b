"""The Pacific quota day and its resets, on ordinary days and on those with 23 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.quota_day import next_reset, quota_day

Period = Literal["day", "month"]
INSTANTS = st.floats(1_740_000_000, 1_920_000_000).map(
    lambda s: datetime.fromtimestamp(s, UTC)
)  # 2025 to 2030


def period_start(day: date, period: Literal["day", "month"]) -> date:
    """The first quota day of the period that `day` lies in."""
    return day if period == "day" else day.replace(day=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "day", "reset"),
    [
        ("2026-11-20 07:59:59.999999", "2026-11-19", "2026-11-20 08:00"),
        ("2026-11-20 08:00", "2026-11-20", "2026-11-21 08:00"),
        ("2026-07-01 06:59:59", "2026-06-30", "2026-07-01 07:00"),
        ("2026-07-01 07:00", "2026-07-01", "2026-07-02 07:00"),
        ("2026-03-08 07:59:59", "2026-03-07", "2026-03-08 08:00"),  # clocks go forward: 23 hours
        ("2026-03-08 08:00", "2026-03-08", "2026-03-09 07:00"),
        ("2026-03-09 06:59:59", "2026-03-08", "2026-03-09 07:00"),
        ("2026-03-09 07:00", "2026-03-09", "2026-03-10 07:00"),
        ("2026-11-01 06:59:59", "2026-10-31", "2026-11-01 07:00"),  # clocks go back: 25 hours
        ("2026-11-01 07:00", "2026-11-01", "2026-11-02 08:00"),
        ("2026-11-01 08:30", "2026-11-01", "2026-11-02 08:00"),  # 01:30 the first time
        ("2026-11-01 09:30", "2026-11-01", "2026-11-02 08:00"),  # 01:30 the second time
        ("2026-11-02 07:59:59", "2026-11-01", "2026-11-02 08:00"),
        ("2028-02-29 12:00", "2028-02-29", "2028-03-01 08:00"),
        ("2027-01-01 07:59", "2026-12-31", "2027-01-01 08:00"),
    ],
)
def test_the_quota_day_is_the_pacific_one(at: str, day: str, reset: str) -> None:
    assert quota_day(utc(at)) == date.fromisoformat(day)
    assert next_reset(utc(at)) == utc(reset)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-20", 24)])
def test_a_day_on_which_clocks_change_is_an_hour_shorter_or_longer(day: str, hours: int) -> None:
    start = next_reset(utc(f"{day} 00:00"))
    assert next_reset(start) - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("at", "reset"),
    [
        ("2026-11-20 12:00", "2026-12-01 08:00"),
        ("2026-12-01 07:59:59", "2026-12-01 08:00"),  # still November in Los Angeles
        ("2026-12-01 08:00", "2027-01-01 08:00"),
        ("2026-12-31 23:00", "2027-01-01 08:00"),
        ("2026-01-31 12:00", "2026-02-01 08:00"),
        ("2026-02-28 12:00", "2026-03-01 08:00"),
        ("2026-03-01 08:00", "2026-04-01 07:00"),  # into summer time
        ("2026-10-31 12:00", "2026-11-01 07:00"),
        ("2026-11-01 12:00", "2026-12-01 08:00"),
    ],
)
def test_a_month_ends_at_the_pacific_midnight_of_the_first(at: str, reset: str) -> None:
    assert next_reset(utc(at), "month") == utc(reset)


@pytest.mark.parametrize(("period", "start"), [("day", date(2026, 11, 20)), ("month", date(2026, 11, 1))])
def test_a_period_starts_on_its_first_quota_day(period: Period, start: date) -> None:
    assert period_start(date(2026, 11, 20), period) == start
    assert period_start(start, period) == start


def test_the_zone_in_which_a_time_is_written_does_not_matter() -> None:
    seoul = datetime.fromisoformat("2026-11-20 16:59:59+09:00")
    assert quota_day(seoul) == date(2026, 11, 19)
    assert next_reset(seoul) == utc("2026-11-20 08:00")
    assert next_reset(seoul).tzinfo is UTC


@given(INSTANTS, st.sampled_from(["day", "month"]))
def test_the_reset_is_the_first_instant_of_the_next_period(at: datetime, period: Period) -> None:
    reset = next_reset(at, period)
    assert at < reset
    assert period_start(quota_day(reset - timedelta(microseconds=1)), period) == period_start(
        quota_day(at), period
    )
    assert quota_day(reset) == period_start(quota_day(reset), period) > quota_day(at)


def test_two_years_of_resets_leave_no_day_out() -> None:
    resets = [next_reset(utc("2025-12-31 12:00"))]
    while len(resets) < 730:
        resets.append(next_reset(resets[-1]))
    assert all(quota_day(b) - quota_day(a) == timedelta(days=1) for a, b in pairwise(resets))
