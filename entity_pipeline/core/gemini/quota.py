"""The ledger's figures for people and planners: what is used, what is left, and why no request may go out now.

Whether one request may go out is `admit` in `core/gemini/ledger.py`; both read the same view.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.gemini.ledger import LedgerView, billed_model, usd
from entity_pipeline.core.gemini.models import GeminiModel, find_model
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.reasons import Reason

Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Budget:
    """USD that are spent or held out of a limit beside the day's: the month's, or the share of a domain."""

    spent_usd: Decimal
    limit_usd: Decimal
    opens_at: datetime
    domain: str | None = None

    @property
    def is_spent(self) -> bool:
        """Whether the budget is used up."""
        return self.spent_usd >= self.limit_usd

    def reason(self, day: date) -> Reason:
        """Why requests wait once it is spent."""
        if self.domain is None:
            return because("month_is_spent", limit=self.limit_usd, at=self.opens_at)
        return because("share_is_spent", domain=self.domain, limit=self.limit_usd, day=day, at=self.opens_at)


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """The ledger's Pacific day: units of the pool of the model that is billed, and USD of all pipelines together.

    `used` units were sent, `reserved` ones are held, and both together may reach `cap` today. A request needs
    `units_per_request` of them. The pool gives `free_units` per `period`, of which `used_in_period` are used; unless
    grounding is paid (`is_paid`), `cap` is what they leave where that is less than `daily_cap`.

    `model` is the configured one; `answered_by` the one that answers in its place. `held` says why no request may go
    out, whatever is left. `resets_at` is when `cap` is renewed, `day_ends_at` when the day's spend is.
    """

    model: str
    unit: Literal["prompt", "query"]
    quota_day: date
    used: int
    reserved: int
    cap: int
    resets_at: datetime
    spent_usd: Decimal
    spend_limit_usd: Decimal
    blocked_until: datetime | None
    units_per_request: int = 1
    period: Period = "day"
    free_units: int = 0
    used_in_period: int = 0
    daily_cap: int | None = None
    is_paid: bool = False
    answered_by: str | None = None
    held: Reason | None = None
    day_ends_at: datetime | None = None
    budgets: tuple[Budget, ...] = ()

    @property
    def remaining(self) -> int:
        """Units that may still be reserved today."""
        return max(self.cap - self.used - self.reserved, 0)

    @property
    def cap_reached(self) -> bool:
        """Whether no further grounded request may go out before `resets_at`."""
        return self.remaining < self.units_per_request

    @property
    def is_replaced(self) -> bool:
        """Whether another model answers and its replies are not accepted."""
        return self.held is not None and self.held.key == "model_replaced"

    @property
    def is_free_end(self) -> bool:
        """Whether `cap` comes from the pool's free units and not from the setting."""
        return self.daily_cap is not None and self.cap < self.daily_cap

    @property
    def closed(self) -> Reason | None:
        """Why no grounded request may go out now; None when one may."""
        if self.held is not None:
            return self.held
        if self.blocked_until is not None:
            return because("blocked_by_google", at=self.blocked_until)
        if self.cap_reached and self.is_free_end:
            free = self.free_units
            return because(
                f"free_units_are_used_{self.unit}", free=free, day=self.quota_day, at=self.resets_at
            )
        if self.cap_reached:
            return because(f"cap_is_reached_{self.unit}", cap=self.cap, day=self.quota_day, at=self.resets_at)
        if self.spent_usd >= self.spend_limit_usd:
            at = self.day_ends_at or self.resets_at
            return because("day_is_spent", limit=self.spend_limit_usd, day=self.quota_day, at=at)
        return next((budget.reason(self.quota_day) for budget in self.budgets if budget.is_spent), None)


def quota_status(view: LedgerView, asked: GeminiModel, step: Step | None = None) -> QuotaStatus:
    """The figures of a view for requests to the configured model; with a step, for those of its domain."""
    settings = view.settings
    billed = billed_model(view, asked)
    held = billed if isinstance(billed, Reason) else None
    # The view counts in the pool of the model that answers, also while its replies are not accepted.
    counted = find_model(view.billed_as or asked.name) or asked
    pool, cap, bound_by = counted.pool, settings.daily_grounding_cap, "day"
    if not settings.paid_grounding:
        left = max(pool.free_units - (view.units_in_period - view.units_today), 0)
        if left < cap:
            cap, bound_by = left, pool.period
    return QuotaStatus(
        model=asked.name,
        unit=pool.unit,
        quota_day=view.quota_day,
        used=view.units_today - view.reserved_today,
        reserved=view.reserved_today,
        cap=cap,
        resets_at=next_reset(view.now, "month" if bound_by == "month" else "day"),
        spent_usd=view.spent_usd,
        spend_limit_usd=usd(settings.daily_spend_usd),
        blocked_until=view.blocked_until,
        units_per_request=pool.reserve_units,
        period=pool.period,
        free_units=pool.free_units,
        used_in_period=view.units_in_period,
        daily_cap=settings.daily_grounding_cap,
        is_paid=settings.paid_grounding,
        answered_by=view.billed_as,
        held=view.closed or held,
        day_ends_at=next_reset(view.now, "day"),
        budgets=_budgets(view, step),
    )


def _budgets(view: LedgerView, step: Step | None) -> tuple[Budget, ...]:
    settings, budgets = view.settings, []
    if settings.monthly_spend_usd is not None:
        spent = view.month_spent_usd or Decimal(0)
        budgets.append(Budget(spent, usd(settings.monthly_spend_usd), next_reset(view.now, "month")))
    if step is not None and (share := settings.shares.get(step.domain)) is not None:
        budgets.append(
            Budget(view.domain_spent_usd, usd(share), next_reset(view.now, "day"), domain=step.domain)
        )
    return tuple(budgets)
