"""When a backlog is done: by days, by months, paid or free."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from entity_pipeline.admin.forecast import forecast
from entity_pipeline.core.gemini.quota import QuotaStatus

DAILY = QuotaStatus(
    model="m",
    unit="prompt",
    quota_day=date(2026, 11, 20),
    used=40,
    reserved=10,
    cap=100,
    resets_at=datetime(2026, 11, 21, 8, tzinfo=UTC),
    spent_usd=Decimal(0),
    spend_limit_usd=Decimal(10),
    blocked_until=None,
    free_units=1_500,
    used_in_period=50,
    daily_cap=100,
)
# 5,000 searches a month, eight of them held for a request: 625 requests a month.
MONTHLY = replace(
    DAILY,
    unit="query",
    period="month",
    units_per_request=8,
    free_units=5_000,
    used_in_period=4_800,
    used=0,
    reserved=0,
    cap=200,
    daily_cap=1_450,
)


@pytest.mark.parametrize(
    ("status", "pending", "done_on"),
    [
        (DAILY, 0, date(2026, 11, 20)),
        (DAILY, 50, date(2026, 11, 20)),
        (DAILY, 51, date(2026, 11, 21)),
        (DAILY, 150, date(2026, 11, 21)),
        (DAILY, 151, date(2026, 11, 22)),
        (replace(DAILY, cap=0, daily_cap=0, used=0, reserved=0), 1, None),
        (DAILY, 10_000_000, None),
        # 25 requests are left of November; December begins with 181 per day.
        (MONTHLY, 25, date(2026, 11, 20)),
        (MONTHLY, 26, date(2026, 12, 1)),
        (MONTHLY, 25 + 181, date(2026, 12, 1)),
        (MONTHLY, 25 + 625, date(2026, 12, 4)),
        (MONTHLY, 25 + 626, date(2027, 1, 1)),
        (replace(MONTHLY, is_paid=True, cap=1_450), 181 + 1, date(2026, 11, 21)),
    ],
)
def test_the_forecast_names_the_day_on_which_the_last_account_is_done(
    status: QuotaStatus, pending: int, done_on: date | None
) -> None:
    assert forecast(pending, status).done_on == done_on


def test_free_searches_are_forecast_by_month_and_paid_ones_by_day() -> None:
    free, paid = forecast(700, MONTHLY), forecast(700, replace(MONTHLY, is_paid=True, cap=1_450))
    assert (free.per_day, free.per_month, free.left_today) == (181, 625, 25)
    assert "625 free per month" in free.says
    assert (paid.per_month, "181 per day" in paid.says) == (None, True)


def test_a_cap_above_the_free_units_of_a_day_does_not_count_unless_more_is_paid() -> None:
    high = replace(DAILY, daily_cap=5_000, cap=1_500)
    assert forecast(1, high).per_day == 1_500
    assert forecast(1, replace(high, is_paid=True, cap=5_000)).per_day == 5_000
