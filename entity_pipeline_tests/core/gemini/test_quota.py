"""What is left of a quota, and why nothing may be asked, for people and planners."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from entity_pipeline.core.gemini.ledger import LedgerView
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.quota import QuotaStatus, quota_status
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.reasons import Reason, sentence
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP

FLASH, LITE = MODELS["gemini-2.5-flash"], MODELS["gemini-3.5-flash-lite"]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY_RESET = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MONTH_RESET = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
QUIET = LedgerView(
    now=NOW,
    quota_day=date(2026, 11, 20),
    settings=GeminiSettings(),
    closed=None,
    billed_as=None,
    units_in_period=0,
    units_today=0,
    reserved_today=0,
    spent_usd=Decimal(0),
    month_spent_usd=None,
    domain_spent_usd=Decimal(0),
    requests_last_minute=0,
    minute_frees_at=None,
    blocked_until=None,
)


def status(asked: GeminiModel = FLASH, settings: GeminiSettings | None = None, **seen: Any) -> QuotaStatus:
    view = replace(QUIET, settings=settings or GeminiSettings(), **seen)
    return quota_status(view, asked, STEP)


def closed(asked: GeminiModel = FLASH, settings: GeminiSettings | None = None, **seen: Any) -> str | None:
    """The key of the reason; it can be said in both languages."""
    reason = status(asked, settings, **seen).closed
    if reason is None:
        return None
    assert sentence(reason, "en") != sentence(reason, "ko")
    return reason.key


@pytest.mark.parametrize(
    ("used", "units_per_request", "remaining", "reached"),
    [(90, 1, 1, False), (91, 1, 0, True), (200, 1, 0, True), (83, 8, 8, False), (84, 8, 7, True)],
)
def test_the_cap_is_reached_when_not_one_more_request_fits(
    used: int, units_per_request: int, remaining: int, reached: bool
) -> None:
    found = replace(status(), used=used, reserved=9, cap=100, units_per_request=units_per_request)
    assert (found.remaining, found.cap_reached) == (remaining, reached)


@pytest.mark.parametrize(
    ("asked", "cap", "paid", "today", "period", "expected"),
    [
        (FLASH, 1_450, False, 100, 100, (1_450, DAY_RESET)),
        (FLASH, 3_000, False, 100, 100, (1_500, DAY_RESET)),
        (FLASH, 3_000, True, 100, 100, (3_000, DAY_RESET)),
        (LITE, 160, False, 100, 1_000, (160, DAY_RESET)),
        (LITE, 160, False, 100, 4_950, (150, MONTH_RESET)),
        (LITE, 160, False, 0, 5_020, (0, MONTH_RESET)),
        (LITE, 160, True, 100, 4_950, (160, DAY_RESET)),
        (LITE, 9_000, True, 100, 4_950, (9_000, DAY_RESET)),
    ],
)
def test_the_days_cap_is_the_setting_or_what_the_free_units_leave(
    asked: GeminiModel, cap: int, paid: bool, today: int, period: int, expected: tuple[int, datetime]
) -> None:
    settings = GeminiSettings(daily_grounding_cap=cap, paid_grounding=paid)
    found = status(
        asked, settings, units_today=today, units_in_period=period, reserved_today=10 if today else 0
    )
    assert (found.cap, found.resets_at) == expected
    assert (found.used, found.reserved) == ((today - 10, 10) if today else (0, 0))
    assert (found.unit, found.period, found.free_units) == (
        asked.pool.unit,
        asked.pool.period,
        asked.pool.free_units,
    )
    assert (found.used_in_period, found.is_paid, found.is_free_end) == (period, paid, expected[0] != cap)


@pytest.mark.parametrize(
    ("asked", "settings", "seen", "key"),
    [
        (FLASH, {}, {}, None),
        (
            FLASH,
            {"daily_grounding_cap": 5},
            {"units_today": 5, "units_in_period": 5},
            "cap_is_reached_prompt",
        ),
        (LITE, {"daily_grounding_cap": 5}, {"units_today": 5, "units_in_period": 5}, "cap_is_reached_query"),
        (
            FLASH,
            {"daily_grounding_cap": 9_000},
            {"units_today": 1_500, "units_in_period": 1_500},
            "free_units_are_used_prompt",
        ),
        (LITE, {}, {"units_today": 0, "units_in_period": 4_993}, "free_units_are_used_query"),
        (LITE, {"paid_grounding": True}, {"units_today": 0, "units_in_period": 4_993}, None),
        (FLASH, {}, {"spent_usd": Decimal(10)}, "day_is_spent"),
        (FLASH, {"monthly_spend_usd": 3.0}, {"month_spent_usd": Decimal(3)}, "month_is_spent"),
        (FLASH, {"monthly_spend_usd": 3.0}, {"month_spent_usd": Decimal("2.99")}, None),
        (FLASH, {"shares": {"entities": 2.0}}, {"domain_spent_usd": Decimal(2)}, "share_is_spent"),
        (FLASH, {"shares": {"influencers": 0.0}}, {"domain_spent_usd": Decimal(2)}, None),
        (FLASH, {}, {"blocked_until": DAY_RESET}, "blocked_by_google"),
        (
            FLASH,
            {},
            {"closed": Reason("entity_pipeline.core", "switch_is_empty", {"row": "r", "name": "n"})},
            "switch_is_empty",
        ),
        (FLASH, {}, {"billed_as": LITE.name}, "model_replaced"),
        (FLASH, {"accept_models": ["gemini-9"]}, {"billed_as": "gemini-9"}, "accepted_model_unknown"),
        (FLASH, {"accept_models": [LITE.name]}, {"billed_as": LITE.name}, None),
    ],
)
def test_the_first_reason_why_nothing_may_be_asked_is_given(
    asked: GeminiModel, settings: dict[str, Any], seen: dict[str, Any], key: str | None
) -> None:
    assert closed(asked, GeminiSettings(**settings), **seen) == key


def test_a_replaced_model_is_named_with_the_pool_in_which_the_ledger_counts_its_requests() -> None:
    held = status(billed_as=LITE.name)
    assert (held.model, held.answered_by, held.is_replaced, held.unit) == (
        FLASH.name,
        LITE.name,
        True,
        "query",
    )
    assert status(billed_as="gemini-9").unit == "prompt"
    open_again = status(settings=GeminiSettings(accept_models=[LITE.name]), billed_as=LITE.name)
    assert (open_again.model, open_again.answered_by, open_again.is_replaced, open_again.unit) == (
        FLASH.name,
        LITE.name,
        False,
        "query",
    )


def test_the_budgets_beside_the_day_open_when_their_period_ends() -> None:
    settings = GeminiSettings(monthly_spend_usd=50.0, shares={"entities": 4.0})
    found = status(settings=settings, month_spent_usd=Decimal(20), domain_spent_usd=Decimal(1))
    month, share = found.budgets
    assert (month.spent_usd, month.limit_usd, month.opens_at, month.domain) == (20, 50, MONTH_RESET, None)
    assert (share.spent_usd, share.limit_usd, share.opens_at, share.domain) == (1, 4, DAY_RESET, "entities")
    assert quota_status(replace(QUIET, settings=settings), FLASH).budgets == (
        replace(month, spent_usd=Decimal(0)),
    )
