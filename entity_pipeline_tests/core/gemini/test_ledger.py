"""`admit`: which request may go out, branch by branch and boundary by boundary."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.ledger import (
    Admitted,
    CallIntent,
    InFlight,
    LedgerView,
    Limits,
    QuotaStatus,
    Refusal,
    Refused,
    Replay,
    StoredReply,
    admit,
)
from entity_pipeline.core.gemini.models import DAILY_PROMPTS, MONTHLY_QUERIES, GroundingPool

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY_RESET = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MONTH_RESET = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)
CENT = Decimal("0.01")
REPLY = StoredReply(UUID(int=1), {"candidates": []}, "gemini-2.5-flash", "hash")

QUIET = LedgerView(
    now=NOW,
    quota_day=date(2026, 11, 20),
    units_in_period=0,
    units_today=0,
    spent_usd=Decimal(0),
    requests_last_minute=0,
    minute_frees_at=None,
    blocked_until=None,
    claimed_until=None,
    replay=None,
)
GROUNDED = CallIntent(
    "entity_enrichment", "review", "review", "brand.kr", "gemini-2.5-flash", True, "i", "c", CENT
)
UNGROUNDED = replace(GROUNDED, kind="repair", grounded=False)
LIMITS = Limits(daily_grounding_cap=100, requests_per_minute=10, daily_spend_usd=Decimal(1))

# Everything that can stand in the way at once; each test below takes obstacles away from the front.
BLOCKED_BY_ALL = replace(
    QUIET,
    units_today=100,
    units_in_period=100,
    spent_usd=Decimal(1),
    requests_last_minute=10,
    minute_frees_at=SOON,
    blocked_until=SOON,
    claimed_until=SOON,
    replay=REPLY,
)


def decision(
    intent: CallIntent = GROUNDED,
    limits: Limits = LIMITS,
    pool: GroundingPool = DAILY_PROMPTS,
    view: LedgerView = QUIET,
    **seen: Any,
) -> Any:
    return admit(replace(view, **seen), intent, limits, pool)


def test_a_quiet_ledger_admits_at_the_cost_of_the_tokens() -> None:
    assert decision() == Admitted(CENT)


@pytest.mark.parametrize(
    ("gone", "answer"),
    [
        ({}, Replay(REPLY)),
        ({"replay": None}, InFlight(SOON)),
        ({"claimed_until": None}, Refused(Refusal.BLOCKED_BY_GOOGLE, SOON)),
        ({"blocked_until": None}, Refused(Refusal.CAP_REACHED, DAY_RESET)),
        ({"units_today": 0, "units_in_period": 0}, Refused(Refusal.SPEND_REACHED, DAY_RESET)),
        ({"spent_usd": Decimal(0)}, Refused(Refusal.RATE_LIMITED, SOON)),
        ({"requests_last_minute": 0}, Admitted(CENT)),
    ],
)
def test_of_several_reasons_the_first_in_this_order_is_given(gone: dict[str, Any], answer: Any) -> None:
    obstacles = [
        "replay",
        "claimed_until",
        "blocked_until",
        "units_today",
        "spent_usd",
        "requests_last_minute",
    ]
    free: dict[str, Any] = {}
    for name in obstacles[: obstacles.index(next(iter(gone))) + 1] if gone else []:
        free[name] = getattr(QUIET, name)
    assert decision(view=BLOCKED_BY_ALL, **free | gone) == answer


@pytest.mark.parametrize(
    ("units_today", "answer"),
    [
        (98, Admitted(CENT)),
        (99, Admitted(CENT)),
        (100, Refused(Refusal.CAP_REACHED, DAY_RESET)),
        (101, Refused(Refusal.CAP_REACHED, DAY_RESET)),
    ],
)
def test_the_last_place_under_the_cap_is_given_and_no_more(units_today: int, answer: Any) -> None:
    assert decision(units_today=units_today, units_in_period=units_today) == answer


def test_a_cap_of_zero_admits_nothing_that_searches() -> None:
    closed = replace(LIMITS, daily_grounding_cap=0)
    assert decision(limits=closed) == Refused(Refusal.CAP_REACHED, DAY_RESET)
    assert decision(UNGROUNDED, limits=closed) == Admitted(CENT)


def test_a_request_without_search_needs_no_place_under_the_cap() -> None:
    assert decision(UNGROUNDED, units_today=9_999, units_in_period=9_999) == Admitted(CENT)


@pytest.mark.parametrize(
    ("units_today", "units_in_period", "answer"),
    [
        (92, 92, Admitted(CENT)),
        (93, 93, Refused(Refusal.CAP_REACHED, DAY_RESET)),
        (0, 4_992, Admitted(CENT)),
        (0, 4_993, Refused(Refusal.CAP_REACHED, MONTH_RESET)),
        (93, 4_993, Refused(Refusal.CAP_REACHED, DAY_RESET)),
    ],
)
def test_a_monthly_pool_holds_to_the_daily_cap_and_to_the_month(
    units_today: int, units_in_period: int, answer: Any
) -> None:
    seen = {"units_today": units_today, "units_in_period": units_in_period}
    assert decision(pool=MONTHLY_QUERIES, **seen) == answer


def test_a_daily_pool_may_be_paid_for_beyond_its_allowance_when_the_cap_says_so() -> None:
    generous = replace(LIMITS, daily_grounding_cap=2_000)
    assert decision(limits=generous, units_today=1_499, units_in_period=1_499) == Admitted(CENT)
    paid = decision(limits=generous, units_today=1_500, units_in_period=1_500)
    assert paid == Admitted(CENT + Decimal("0.035"))
    without_search = decision(UNGROUNDED, limits=generous, units_today=1_500, units_in_period=1_500)
    assert without_search == Admitted(CENT)


@pytest.mark.parametrize(
    ("spent", "answer"),
    [
        ("0.99", Admitted(CENT)),
        ("0.990001", Refused(Refusal.SPEND_REACHED, DAY_RESET)),
        ("1", Refused(Refusal.SPEND_REACHED, DAY_RESET)),
    ],
)
def test_the_budget_may_be_spent_to_the_last_cent_and_not_beyond(spent: str, answer: Any) -> None:
    assert decision(spent_usd=Decimal(spent)) == answer
    assert decision(UNGROUNDED, spent_usd=Decimal(spent)) == answer


def test_the_search_fee_counts_towards_the_budget() -> None:
    limits = Limits(daily_grounding_cap=2_000, requests_per_minute=10, daily_spend_usd=Decimal("0.045"))
    assert decision(limits=limits, units_today=1_500, units_in_period=1_500) == Admitted(Decimal("0.045"))
    tight = replace(limits, daily_spend_usd=Decimal("0.044999"))
    refused = decision(limits=tight, units_today=1_500, units_in_period=1_500)
    assert refused == Refused(Refusal.SPEND_REACHED, DAY_RESET)


@pytest.mark.parametrize(
    ("requests", "frees_at", "answer"),
    [
        (9, SOON, Admitted(CENT)),
        (10, SOON, Refused(Refusal.RATE_LIMITED, SOON)),
        (11, SOON, Refused(Refusal.RATE_LIMITED, SOON)),
        (10, None, Refused(Refusal.RATE_LIMITED, NOW + timedelta(seconds=60))),
    ],
)
def test_a_full_minute_waits_until_its_first_request_is_a_minute_old(
    requests: int, frees_at: datetime | None, answer: Any
) -> None:
    assert decision(requests_last_minute=requests, minute_frees_at=frees_at) == answer


@pytest.mark.parametrize(
    ("until", "admitted"), [(NOW - timedelta(seconds=1), True), (NOW, True), (SOON, False)]
)
def test_a_block_ends_at_its_instant(until: datetime, admitted: bool) -> None:
    assert isinstance(decision(blocked_until=until), Admitted) is admitted


@given(
    cap=st.integers(0, 60),
    pool=st.sampled_from([DAILY_PROMPTS, replace(MONTHLY_QUERIES, free_units=50)]),
    before=st.integers(0, 70),
    settled_units=st.lists(st.integers(0, 8), max_size=80),
)
def test_admitted_requests_never_exceed_the_cap(
    cap: int, pool: GroundingPool, before: int, settled_units: list[int]
) -> None:
    """Each admitted request holds its units, and settles at what it used, before the next one asks."""
    limits = Limits(cap, requests_per_minute=1_000, daily_spend_usd=Decimal(1_000))
    used = before
    for units in settled_units:
        view = replace(QUIET, units_today=used, units_in_period=used)
        if isinstance(admit(view, GROUNDED, limits, pool), Admitted):
            allowed = min(cap, pool.free_units) if pool.period == "month" else cap
            assert used + pool.reserve_units <= allowed
            used += 1 if pool.unit == "prompt" else units
    assert used <= max(cap, before)


STATUS = QuotaStatus(
    model="gemini-2.5-flash",
    unit="prompt",
    quota_day=date(2026, 11, 20),
    used=90,
    reserved=9,
    cap=100,
    resets_at=DAY_RESET,
    spent_usd=Decimal(0),
    spend_limit_usd=Decimal(1),
    blocked_until=None,
)


@pytest.mark.parametrize(
    ("used", "units_per_request", "remaining", "reached"),
    [(90, 1, 1, False), (91, 1, 0, True), (200, 1, 0, True), (83, 8, 8, False), (84, 8, 7, True)],
)
def test_the_cap_is_reached_when_not_one_more_request_fits(
    used: int, units_per_request: int, remaining: int, reached: bool
) -> None:
    status = replace(STATUS, used=used, units_per_request=units_per_request)
    assert (status.remaining, status.cap_reached) == (remaining, reached)
