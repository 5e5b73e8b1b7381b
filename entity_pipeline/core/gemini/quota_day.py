"""Google's quota clock. A day begins at midnight in Los Angeles, so it lasts 23 or 25 hours twice a year."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

QUOTA_ZONE = ZoneInfo("America/Los_Angeles")


def quota_day(at: datetime) -> date:
    """The Pacific calendar day of an instant (an aware datetime)."""
    return at.astimezone(QUOTA_ZONE).date()


def next_reset(at: datetime, period: Literal["day", "month"] = "day") -> datetime:
    """When the period of `at` ends, as an instant in UTC."""
    day = quota_day(at)
    first_of_next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    following = day + timedelta(days=1) if period == "day" else first_of_next_month
    return datetime.combine(following, time(), tzinfo=QUOTA_ZONE).astimezone(UTC)
