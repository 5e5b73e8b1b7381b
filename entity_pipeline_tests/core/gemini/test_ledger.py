"""`admit`: which request may go out, branch by branch and boundary by boundary."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.ledger import Admitted, InFlight, LedgerView, Refused, Replay, admit
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.outcomes import StoredReply, Unanswered
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.reasons import Reason, sentence
from entity_pipeline_tests.resources.gemini.ledger_cases import CENT, FLASH, REVIEW, Kind, varied

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY_RESET = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MONTH_RESET = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)
REPLY = StoredReply("1", {"candidates": []}, "gemini-2.5-flash", "hash")
LITE = MODELS["gemini-3.5-flash-lite"]  # which answers in place of FLASH; its tokens cost the same
OF_LITE = replace(REPLY, model_version="gemini-3.5-flash-lite-001")

GROUNDED = REVIEW
UNGROUNDED = varied(REVIEW, kind=Kind.REPAIR, grounded=False)
LIMITS = GeminiSettings(daily_grounding_cap=100, requests_per_minute=10, daily_spend_usd=1.0)
SWITCHED_OFF = Reason("entity_pipeline.core", "shared_switched_off", {"name": "gemini", "row": "gemini"})

QUIET = LedgerView(
    now=NOW,
    quota_day=date(2026, 11, 20),
    settings=LIMITS,
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
ADMITTED = (CENT, FLASH.name)
CAP_REACHED = (Unanswered.CAP_REACHED, DAY_RESET)
MONTH_REACHED = (Unanswered.CAP_REACHED, MONTH_RESET)
SPEND_REACHED = (Unanswered.SPEND_REACHED, DAY_RESET)

# Everything that can stand in the way at once; each test below takes obstacles away from the front.
BLOCKED_BY_ALL = replace(
    QUIET,
    closed=SWITCHED_OFF,
    billed_as=LITE.name,
    units_today=100,
    units_in_period=100,
    spent_usd=Decimal(1),
    requests_last_minute=10,
    minute_frees_at=SOON,
    blocked_until=SOON,
    claimed_until=SOON,
    replay=REPLY,
)


def limits(**changes: Any) -> GeminiSettings:
    return GeminiSettings.model_validate(LIMITS.model_dump() | changes)


def decision(
    call: Call = GROUNDED,
    settings: GeminiSettings = LIMITS,
    asked: GeminiModel = FLASH,
    view: LedgerView = QUIET,
    **seen: Any,
) -> Any:
    """The decision: cost and model of a place, a replay, a claim, or why not and until when."""
    answer = admit(replace(view, settings=settings, **seen), call, asked)
    if isinstance(answer, Refused):
        assert sentence(answer.reason, "en") != sentence(answer.reason, "ko")
        return answer.why, answer.retry_at
    return (answer.cost_usd, answer.model.name) if isinstance(answer, Admitted) else answer


def test_a_quiet_ledger_admits_at_the_cost_of_the_tokens() -> None:
    assert decision() == ADMITTED


@pytest.mark.parametrize(
    ("gone", "answer"),
    [
        ({}, Replay(REPLY)),
        ({"replay": None}, (Unanswered.CLOSED, None)),
        ({"closed": None}, (Unanswered.MODEL_REPLACED, None)),
        ({"billed_as": None}, InFlight(SOON)),
        ({"claimed_until": None}, (Unanswered.BLOCKED_BY_GOOGLE, SOON)),
        ({"blocked_until": None}, CAP_REACHED),
        ({"units_today": 0, "units_in_period": 0}, SPEND_REACHED),
        ({"spent_usd": Decimal(0)}, (Unanswered.RATE_LIMITED, SOON)),
        ({"requests_last_minute": 0}, ADMITTED),
    ],
)
def test_of_several_reasons_the_first_in_this_order_is_given(gone: dict[str, Any], answer: Any) -> None:
    obstacles = [
        "replay",
        "closed",
        "billed_as",
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
        (98, ADMITTED),
        (99, ADMITTED),
        (100, CAP_REACHED),
        (101, CAP_REACHED),
    ],
)
def test_the_last_place_under_the_cap_is_given_and_no_more(units_today: int, answer: Any) -> None:
    assert decision(units_today=units_today, units_in_period=units_today) == answer


def test_a_cap_of_zero_admits_nothing_that_searches() -> None:
    closed = limits(daily_grounding_cap=0)
    assert decision(settings=closed) == CAP_REACHED
    assert decision(UNGROUNDED, settings=closed) == ADMITTED


def test_a_request_without_search_needs_no_place_under_the_cap() -> None:
    assert decision(UNGROUNDED, units_today=9_999, units_in_period=9_999) == ADMITTED


@pytest.mark.parametrize(
    ("units_today", "units_in_period", "answer"),
    [
        (92, 92, (CENT, LITE.name)),
        (93, 93, CAP_REACHED),
        (0, 4_992, (CENT, LITE.name)),
        (0, 4_993, MONTH_REACHED),
        (93, 4_993, CAP_REACHED),
    ],
)
def test_a_monthly_pool_holds_to_the_daily_cap_and_to_the_month(
    units_today: int, units_in_period: int, answer: Any
) -> None:
    seen = {"units_today": units_today, "units_in_period": units_in_period}
    place = decision(asked=LITE, **seen)
    assert place == answer


def test_a_pools_free_units_are_the_end_unless_grounding_is_paid_for() -> None:
    """This holds for any cap, in either pool."""
    for asked, free, period, fee, held in (
        (FLASH, 1_500, DAY_RESET, "0.035", 1),
        (LITE, 5_000, MONTH_RESET, "0.112", 8),
    ):
        generous = limits(daily_grounding_cap=100_000)
        last = {"units_today": free - held, "units_in_period": free - held}
        beyond = {"units_today": free - held + 1, "units_in_period": free - held + 1}
        used_up = {"units_today": free, "units_in_period": free}
        free_place = (CENT, asked.name)
        assert decision(settings=generous, asked=asked, **last) == free_place
        assert decision(settings=generous, asked=asked, **beyond) == (Unanswered.CAP_REACHED, period)
        assert decision(UNGROUNDED, settings=generous, asked=asked, **used_up) == free_place
        paid = limits(daily_grounding_cap=100_000, paid_grounding=True)
        paid_place = (CENT + Decimal(fee), asked.name)
        assert decision(settings=paid, asked=asked, **last) == free_place
        assert decision(settings=paid, asked=asked, **used_up) == paid_place
        assert decision(UNGROUNDED, settings=paid, asked=asked, **used_up) == free_place


def test_paid_grounding_still_ends_at_the_cap_and_at_the_spends() -> None:
    paid = limits(daily_grounding_cap=2_000, paid_grounding=True)
    seen = {"units_today": 1_600, "units_in_period": 1_600}
    assert decision(settings=paid, **seen) == (CENT + Decimal("0.035"), FLASH.name)
    assert decision(settings=paid, units_today=2_000, units_in_period=2_000) == CAP_REACHED
    assert decision(settings=paid, **seen, spent_usd=Decimal("0.96")) == SPEND_REACHED


@pytest.mark.parametrize(
    ("spent", "answer"),
    [
        ("0.99", ADMITTED),
        ("0.990001", SPEND_REACHED),
        ("1", SPEND_REACHED),
    ],
)
def test_the_budget_may_be_spent_to_the_last_cent_and_not_beyond(spent: str, answer: Any) -> None:
    assert decision(spent_usd=Decimal(spent)) == answer
    assert decision(UNGROUNDED, spent_usd=Decimal(spent)) == answer


def test_the_search_fee_counts_towards_the_budget() -> None:
    exact = limits(daily_grounding_cap=2_000, paid_grounding=True, daily_spend_usd=0.045)
    seen = {"units_today": 1_500, "units_in_period": 1_500}
    assert decision(settings=exact, **seen) == (Decimal("0.045"), FLASH.name)
    tight = limits(daily_grounding_cap=2_000, paid_grounding=True, daily_spend_usd=0.044999)
    assert decision(settings=tight, **seen) == SPEND_REACHED


@pytest.mark.parametrize(
    ("month_spent", "answer"),
    [("2.99", ADMITTED), ("2.990001", (Unanswered.SPEND_REACHED, MONTH_RESET)), (None, ADMITTED)],
)
def test_the_month_may_be_spent_to_the_last_cent_and_not_beyond(month_spent: str | None, answer: Any) -> None:
    spent = None if month_spent is None else Decimal(month_spent)
    assert decision(settings=limits(monthly_spend_usd=3.0), month_spent_usd=spent) == answer
    assert decision(UNGROUNDED, limits(monthly_spend_usd=3.0), month_spent_usd=spent) == answer
    assert decision(month_spent_usd=spent) == ADMITTED


@pytest.mark.parametrize(
    ("shares", "spent", "answer"),
    [
        ({"entities": 0.5}, "0.49", ADMITTED),
        ({"entities": 0.5}, "0.490001", SPEND_REACHED),
        ({"entities": 0.0}, "0", SPEND_REACHED),
        ({"influencers": 0.0}, "0.9", ADMITTED),
        ({"entities": 5.0}, "0.9", ADMITTED),
    ],
)
def test_a_domain_may_use_its_share_and_one_without_a_share_what_the_limits_leave(
    shares: dict[str, float], spent: str, answer: Any
) -> None:
    assert decision(settings=limits(shares=shares), domain_spent_usd=Decimal(spent)) == answer


def test_a_share_gives_no_right_beyond_the_limit_of_the_day() -> None:
    assert decision(settings=limits(shares={"entities": 5.0}), spent_usd=Decimal(1)) == SPEND_REACHED


@pytest.mark.parametrize("call", [GROUNDED, UNGROUNDED])
def test_while_the_row_is_closed_nothing_is_asked_but_a_paid_reply_is_used(call: Call) -> None:
    assert decision(call, closed=SWITCHED_OFF) == (Unanswered.CLOSED, None)
    assert decision(call, closed=SWITCHED_OFF, replay=REPLY) == Replay(REPLY)


ACCEPTING = limits(accept_models=[LITE.name])
REPLACED = (Unanswered.MODEL_REPLACED, None)


@pytest.mark.parametrize("call", [GROUNDED, UNGROUNDED])
def test_once_another_model_answers_nothing_more_is_asked_until_it_is_accepted(call: Call) -> None:
    assert decision(call, billed_as=LITE.name) == REPLACED
    assert decision(call, billed_as=LITE.name, replay=OF_LITE) == REPLACED
    assert decision(call, replay=OF_LITE) == REPLACED
    assert decision(call, ACCEPTING, billed_as=LITE.name, replay=OF_LITE) == Replay(OF_LITE)
    assert decision(call, ACCEPTING, billed_as=LITE.name) == (CENT, LITE.name)
    assert decision(call, ACCEPTING, billed_as="gemini-9") == REPLACED


def test_an_accepted_model_without_a_known_price_is_not_asked() -> None:
    unknown = limits(accept_models=["gemini-9"])
    assert decision(settings=unknown, billed_as="gemini-9") == REPLACED
    paid = replace(REPLY, model_version="gemini-9")
    assert decision(settings=unknown, billed_as="gemini-9", replay=paid) == Replay(paid)


def test_an_accepted_model_is_held_to_its_own_pool_at_its_own_price() -> None:
    dear = MODELS["gemini-3.8-flash"]
    accepting = limits(accept_models=[dear.name], daily_grounding_cap=10_000)
    seen = {"billed_as": dear.name, "units_today": 0}
    assert decision(settings=accepting, **seen, units_in_period=4_992) == (Decimal("0.015"), dear.name)
    assert decision(settings=accepting, **seen, units_in_period=4_993) == MONTH_REACHED


def test_a_replay_alone_is_never_paid_for() -> None:
    only = replace(GROUNDED, only_replay=True)
    assert decision(only) == (Unanswered.NOT_STORED, None)
    assert decision(only, replay=REPLY) == Replay(REPLY)
    assert decision(only, replay=OF_LITE) == REPLACED
    assert decision(only, closed=SWITCHED_OFF) == (Unanswered.NOT_STORED, None)


@pytest.mark.parametrize(
    ("requests", "frees_at", "answer"),
    [
        (9, SOON, ADMITTED),
        (10, SOON, (Unanswered.RATE_LIMITED, SOON)),
        (11, SOON, (Unanswered.RATE_LIMITED, SOON)),
        (10, None, (Unanswered.RATE_LIMITED, NOW + timedelta(seconds=60))),
    ],
)
def test_a_full_minute_waits_until_its_first_request_is_a_minute_old(
    requests: int, frees_at: datetime | None, answer: Any
) -> None:
    assert decision(requests_last_minute=requests, minute_frees_at=frees_at) == answer


@pytest.mark.parametrize(
    ("until", "admitted"), [(NOW - timedelta(seconds=1), True), (NOW, True), (SOON, False)]
)
def test_a_block_ends_exactly_at_its_time(until: datetime, admitted: bool) -> None:
    assert (decision(blocked_until=until) == ADMITTED) is admitted


@given(
    cap=st.integers(0, 60),
    asked=st.sampled_from([FLASH, LITE]),
    free_units=st.integers(0, 60),
    paid=st.booleans(),
    before=st.integers(0, 70),
    settled_units=st.lists(st.integers(0, 8), max_size=80),
)
def test_admitted_requests_never_exceed_the_cap_nor_unpaid_ones_the_free_units(
    cap: int, asked: GeminiModel, free_units: int, paid: bool, before: int, settled_units: list[int]
) -> None:
    """Each admitted request holds its units, and settles at what it used, before the next one is asked."""
    model = replace(asked, pool=replace(asked.pool, free_units=free_units))
    settings = limits(
        daily_grounding_cap=cap, requests_per_minute=1_000, daily_spend_usd=1_000.0, paid_grounding=paid
    )
    allowed, used = cap if paid else min(cap, free_units), before
    for units in settled_units:
        view = replace(QUIET, settings=settings, units_today=used, units_in_period=used)
        if isinstance(admit(view, GROUNDED, model), Admitted):
            assert used + model.pool.reserve_units <= allowed
            used += 1 if model.pool.unit == "prompt" else units
    assert used <= max(allowed, before)
