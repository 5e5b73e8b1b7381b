"""When a backlog is done under the quota, if each request takes one search and nothing else uses the quota. Pure.

The quota itself belongs to `core/gemini/quota.py`, the wording of the forecast on a page to the texts.
"""

from datetime import date, timedelta

from pydantic import Field

from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.gemini.quota import QuotaStatus

_LONGEST_DAYS = 3_650


class Forecast(Shown):
    """When the backlog is done. `done_on` is a Pacific day, None when it takes longer than ten years."""

    pending: int = Field(description="Waiting requests with a search.")
    per_day: int = Field(description="The most requests of a Pacific day.")
    per_month: int | None = Field(
        description="The most requests of a Pacific month, if they end at its free units."
    )
    left_today: int
    done_on: date | None
    says: str = Field(description="The same as a sentence.")


def forecast(pending: int, status: QuotaStatus) -> Forecast:
    """The forecast for `pending` requests."""
    units = status.units_per_request
    is_monthly = status.period == "month" and not status.is_paid
    per_day = (status.cap if status.daily_cap is None else status.daily_cap) // units
    if not is_monthly and not status.is_paid and status.free_units:
        per_day = min(per_day, status.free_units // units)
    per_month = status.free_units // units if is_monthly else None
    done_on = _done_on(pending, status, per_day, per_month)
    return Forecast(
        pending=pending,
        per_day=per_day,
        per_month=per_month,
        left_today=status.remaining // units,
        done_on=done_on,
        says=_said(pending, per_day, per_month, done_on),
    )


def _done_on(pending: int, status: QuotaStatus, per_day: int, per_month: int | None) -> date | None:
    """Simulated day by day, because the limits of days and months apply at the same time."""
    units, day = status.units_per_request, status.quota_day
    of_month = None if per_month is None else max(status.free_units - status.used_in_period, 0) // units
    for nth in range(_LONGEST_DAYS):
        if nth and day.day == 1:
            of_month = per_month
        today = status.remaining // units if nth == 0 else per_day
        done = today if of_month is None else min(today, of_month)
        of_month = None if of_month is None else of_month - done
        pending -= done
        if pending <= 0:
            return day
        day += timedelta(days=1)
    return None


def _said(pending: int, per_day: int, per_month: int | None, done_on: date | None) -> str:
    if pending == 0:
        return "Nothing waits for a web search."
    waits = f"{pending:,} items wait for a web search"
    if per_day == 0:
        return f"{waits}, and the cap allows none: raise daily_grounding_cap."
    pace = f"{per_day:,} per day" if per_month is None else f"{per_month:,} free per month"
    if done_on is None:
        return f"{waits}. At {pace}, they will take more than ten years."
    return f"{waits}. At {pace}, they will be done on the Pacific day {done_on}."
