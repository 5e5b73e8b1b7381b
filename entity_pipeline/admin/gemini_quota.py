"""Gemini's quota and cost from the ledger: today, 30 days, by model, and when the backlog is done.

The figures of the day are `GeminiAccess.quota`, by which requests are admitted, so they agree with it to the unit. What
counts as a backlog belongs to the domains.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Literal

from pydantic import Field

from entity_pipeline.admin.forecast import Forecast, forecast
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.quota import Budget, QuotaStatus
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.resources.gemini.ledger_reading import spend_since
from entity_pipeline.shared.gemini_spend.by_day import QuotaDay, first_of_history, last_days
from entity_pipeline.shared.gemini_spend.by_domain import DomainSpend, spend_by_domain


class ModelCost(Shown):
    """The cost of one model in USD, and its number of requests."""

    model: str
    requests: int
    grounded_requests: int
    today_usd: Decimal
    month_usd: Decimal = Field(description="The Pacific calendar month so far, today included.")


class BudgetFigures(Shown):
    """USD spent or reserved within the month's limit."""

    spent_usd: Decimal
    limit_usd: Decimal
    opens_at: datetime


class QuotaFigures(Shown):
    """The ledger's day, to the unit; see `core.gemini.quota.QuotaStatus`."""

    model: str
    unit: Literal["prompt", "query"]
    quota_day: date = Field(description="The Pacific day.")
    used: int
    reserved: int
    remaining: int
    cap: int
    cap_reached: bool
    units_per_request: int
    closed_because: Sentence | None = Field(
        description="Why no request with a search may go out; null when one may."
    )
    period: Literal["day", "month"] = Field(description="How often the model's free units are renewed.")
    free_units: int = Field(description="Free units of a period.")
    used_in_period: int
    daily_cap: int | None = Field(
        description="The setting; `cap` is lower where the free units are used up first."
    )
    is_paid: bool = Field(description="Whether searches beyond the free ones are paid for.")
    answered_by: str | None = Field(description="The model that answers in place of the configured one.")
    blocked_until: datetime | None = Field(description="Google refuses requests until then.")
    resets_at: datetime = Field(description="When the cap opens again.")
    next_reset_at: datetime = Field(description="The reset after `resets_at`.")
    spent_usd: Decimal
    spend_limit_usd: Decimal
    budgets: list[BudgetFigures] = Field(description="The limits beside the day's; empty without any.")
    domains: list[DomainSpend] = Field(
        description="Each domain with its share per day; null if only the shared limits apply."
    )
    models: list[ModelCost]
    history: list[QuotaDay] = Field(description="30 Pacific days, oldest first, today last; gaps are zeros.")
    forecast: Forecast | None = Field(description="None while the backlog can't be counted.")
    as_of: datetime


def history_begins(today: date) -> date:
    """The first day that the page needs: of 30 days or of the month, whichever is earlier."""
    return min(first_of_history(today), today.replace(day=1))


def spent_days(
    today: date, kept: Sequence[SpendDay], ledger_since: Callable[[date], Sequence[SpendDay]]
) -> list[SpendDay]:
    """Days of the roll-up; from its newest day on, or at least from yesterday, days of the ledger itself.

    The roll-up may have stopped, or have missed a day's last hour.
    """
    newest = max((row.quota_day for row in kept), default=history_begins(today))
    first = min(newest, today - timedelta(days=1))
    return [row for row in kept if row.quota_day < first] + list(ledger_since(first))


def read_quota(at: Installation, count_pending: Callable[[], int]) -> QuotaFigures:
    """Today's figures of the ledger, 30 days and the forecast for `count_pending()` requests with a search."""
    now = datetime.now(UTC)
    status = at.gemini.quota()
    kept = at.gemini.spend(history_begins(status.quota_day))
    rows = spent_days(status.quota_day, kept, partial(spend_since, at.assets_db))
    pending: int | None = None
    with suppress(PipelineFailure):
        pending = count_pending()
    shares = at.settings.readable(GeminiSettings).shares
    domains = spend_by_domain(rows, status.quota_day, at.pipelines, shares)
    return quota_figures(status, rows, domains, pending, now)


def quota_figures(
    status: QuotaStatus,
    rows: Sequence[SpendDay],
    domains: Sequence[DomainSpend],
    pending: int | None,
    now: datetime,
) -> QuotaFigures:
    """The figures.

    Args:
        status: the ledger's figures of the day.
        rows: `spent_days` from `history_begins` on.
        domains: the same by domain.
        pending: waiting requests with a search; None when they can't be counted.
    """
    day = status.quota_day
    return QuotaFigures(
        model=status.model,
        unit=status.unit,
        quota_day=day,
        used=status.used,
        reserved=status.reserved,
        remaining=status.remaining,
        cap=status.cap,
        cap_reached=status.cap_reached,
        units_per_request=status.units_per_request,
        closed_because=status.closed,
        period=status.period,
        free_units=status.free_units,
        used_in_period=status.used_in_period,
        daily_cap=status.daily_cap,
        is_paid=status.is_paid,
        answered_by=status.answered_by,
        blocked_until=status.blocked_until,
        resets_at=status.resets_at,
        next_reset_at=next_reset(status.resets_at),
        spent_usd=status.spent_usd,
        spend_limit_usd=status.spend_limit_usd,
        budgets=[_budget(budget) for budget in status.budgets],
        domains=list(domains),
        models=_models(rows, day),
        history=last_days(rows, day),
        forecast=None if pending is None else forecast(pending, status),
        as_of=now,
    )


def _budget(budget: Budget) -> BudgetFigures:
    return BudgetFigures(
        spent_usd=budget.spent_usd,
        limit_usd=budget.limit_usd,
        opens_at=budget.opens_at,
    )


def _models(rows: Sequence[SpendDay], today: date) -> list[ModelCost]:
    of_month = [row for row in rows if row.quota_day >= today.replace(day=1)]
    found = []
    for model in sorted({row.model for row in of_month}):
        its = [row for row in of_month if row.model == model]
        found.append(
            ModelCost(
                model=model,
                requests=sum(row.requests for row in its),
                grounded_requests=sum(row.grounded_requests for row in its),
                today_usd=sum((row.cost_usd for row in its if row.quota_day == today), Decimal(0)),
                month_usd=sum((row.cost_usd for row in its), Decimal(0)),
            )
        )
    return sorted(found, key=lambda cost: (-cost.month_usd, cost.model))
