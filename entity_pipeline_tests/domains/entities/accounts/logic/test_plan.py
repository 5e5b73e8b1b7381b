from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.settings import Closed, Gate, Open
from entity_pipeline.domains.entities.accounts.logic.plan import (
    HoldOff,
    Launch,
    PendingAccount,
    plan,
)
from entity_pipeline.domains.entities.settings import EntitySettings

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
OPEN = Open(EntitySettings(accounts_per_tick=10))
FREE = QuotaStatus(
    model="gemini-2.5-flash",
    unit="prompt",
    quota_day=MONDAY,
    used=0,
    reserved=0,
    cap=100,
    resets_at=datetime(2026, 3, 3, 8, tzinfo=UTC),
    spent_usd=Decimal(1),
    spend_limit_usd=Decimal(10),
    blocked_until=None,
)


IDS = count()


def waiting(cohort: date, *posts: int) -> list[PendingAccount]:
    return [PendingAccount(next(IDS), cohort, tagged) for tagged in posts]


SOME = [*waiting(MONDAY, 9, 5, 1), *waiting(TUESDAY, 7, 7), *waiting(WEDNESDAY, 2)]


@pytest.mark.parametrize(
    ("gate", "pending", "in_flight", "quota", "reason"),
    [
        pytest.param(Closed.because("Switched off."), SOME, set(), FREE, "Switched off.", id="closed"),
        pytest.param(
            OPEN,
            SOME,
            set(),
            replace(FREE, blocked_until=datetime(2026, 3, 2, 12, 30, tzinfo=UTC)),
            "Google refuses requests until 2026-03-02 12:30 UTC.",
            id="blocked by Google",
        ),
        pytest.param(
            OPEN,
            SOME,
            set(),
            replace(FREE, used=99, reserved=1),
            "The cap of 100 grounded prompts is reached for the Pacific day 2026-03-02; "
            "it opens again at 2026-03-03 08:00 UTC.",
            id="an open reservation fills the cap",
        ),
        pytest.param(
            OPEN,
            SOME,
            set(),
            replace(FREE, used=95, units_per_request=8),
            "The cap of 100 grounded prompts is reached for the Pacific day 2026-03-02; "
            "it opens again at 2026-03-03 08:00 UTC.",
            id="what is left is too little for one request",
        ),
        pytest.param(
            OPEN,
            SOME,
            set(),
            replace(FREE, spent_usd=Decimal("10.00")),
            "The spending limit of 10 USD is reached for the Pacific day 2026-03-02; "
            "it opens again at 2026-03-03 08:00 UTC.",
            id="spend",
        ),
        pytest.param(OPEN, [], set(), FREE, "No account waits for a review.", id="nothing pending"),
        pytest.param(
            OPEN,
            SOME,
            {MONDAY, TUESDAY, WEDNESDAY},
            FREE,
            "A run is at work. No account of any other cohort waits for a review.",
            id="all in flight",
        ),
        pytest.param(
            OPEN,
            [],
            {MONDAY},
            FREE,
            "A run is at work. No account of any other cohort waits for a review.",
            id="all in flight and left out by the query",
        ),
    ],
)
def test_nothing_is_launched_and_a_sentence_says_why(
    gate: Gate, pending: list[PendingAccount], in_flight: set[date], quota: QuotaStatus, reason: str
) -> None:
    held = plan(gate, pending, in_flight, quota)
    assert isinstance(held, HoldOff)
    assert str(held.reason) == reason


def test_the_first_reason_that_counts_is_the_switch() -> None:
    exhausted = replace(FREE, used=100, spent_usd=Decimal(10), blocked_until=FREE.resets_at)
    held = plan(Closed.because("Off."), [], set(), exhausted)
    assert isinstance(held, HoldOff)
    assert str(held.reason) == "Off."


@pytest.mark.parametrize(
    ("per_tick", "quota", "in_flight", "limits"),
    [
        pytest.param(10, FREE, set(), {MONDAY: 3, TUESDAY: 2, WEDNESDAY: 1}, id="all fit"),
        pytest.param(
            3, FREE, set(), {MONDAY: 1, TUESDAY: 2}, id="the most-tagged of all cohorts, not of the first"
        ),
        pytest.param(1, FREE, set(), {MONDAY: 1}, id="one"),
        pytest.param(10, replace(FREE, used=96), set(), {MONDAY: 2, TUESDAY: 2}, id="what the quota leaves"),
        pytest.param(
            10, replace(FREE, used=90, reserved=8), set(), {MONDAY: 1, TUESDAY: 1}, id="reservations count"
        ),
        pytest.param(
            10, replace(FREE, used=80, units_per_request=8), set(), {MONDAY: 1, TUESDAY: 1}, id="units"
        ),
        pytest.param(3, FREE, {TUESDAY}, {MONDAY: 2, WEDNESDAY: 1}, id="never what is in flight"),
    ],
)
def test_the_most_tagged_accounts_that_fit_are_launched_by_cohort(
    per_tick: int, quota: QuotaStatus, in_flight: set[date], limits: dict[date, int]
) -> None:
    gate = Open(EntitySettings(accounts_per_tick=per_tick))
    assert plan(gate, SOME, in_flight, quota) == Launch(limits)
    assert plan(gate, SOME[::-1], in_flight, quota) == Launch(limits)


@given(
    pending=st.lists(
        st.builds(
            PendingAccount,
            st.integers(),
            st.sampled_from([MONDAY, TUESDAY, WEDNESDAY]),
            st.integers(0, 20),
        ),
        unique_by=lambda account: account.id,
        min_size=1,
    ),
    per_tick=st.integers(1, 30),
    used=st.integers(0, 99),
    in_flight=st.sets(st.sampled_from([MONDAY, TUESDAY])),
)
def test_limits_add_up_to_what_fits_and_skip_no_account_that_is_tagged_more(
    pending: list[PendingAccount], per_tick: int, used: int, in_flight: set[date]
) -> None:
    gate = Open(EntitySettings(accounts_per_tick=per_tick))
    free = [account for account in pending if account.cohort not in in_flight]
    decision = plan(gate, pending, in_flight, replace(FREE, used=used))
    if not free:
        assert isinstance(decision, HoldOff)
        return
    assert isinstance(decision, Launch)
    assert sum(decision.limits.values()) == min(len(free), per_tick, 100 - used)
    assert all(decision.limits.values())
    chosen, left = [], []
    for cohort in (MONDAY, TUESDAY, WEDNESDAY):
        ranked = sorted((a.posts for a in free if a.cohort == cohort), reverse=True)
        chosen += ranked[: decision.limits.get(cohort, 0)]
        left += ranked[decision.limits.get(cohort, 0) :]
    assert not left or min(chosen) >= max(left)


OLDEST = waiting(MONDAY, 0, 0, 0, 0)
TAGGED = [*waiting(TUESDAY, *[9] * 20), *waiting(WEDNESDAY, *[8] * 20)]


@pytest.mark.parametrize(
    ("fairness", "per_tick", "in_flight", "limits"),
    [
        pytest.param(0.2, 10, set(), {MONDAY: 2, TUESDAY: 8}, id="a fifth"),
        pytest.param(0.0, 10, set(), {TUESDAY: 10}, id="none"),
        pytest.param(1.0, 10, set(), {MONDAY: 4, TUESDAY: 6}, id="all of them, and what is left for others"),
        pytest.param(0.2, 2, set(), {TUESDAY: 2}, id="less than half a place"),
        pytest.param(0.2, 3, set(), {MONDAY: 1, TUESDAY: 2}, id="half a place and more"),
        pytest.param(0.2, 10, {MONDAY}, {TUESDAY: 10}, id="never what is in flight"),
        pytest.param(0.2, 30, set(), {MONDAY: 4, TUESDAY: 20, WEDNESDAY: 6}, id="no more than wait"),
    ],
)
def test_a_part_of_each_tick_goes_to_those_that_wait_longest(
    fairness: float, per_tick: int, in_flight: set[date], limits: dict[date, int]
) -> None:
    gate = Open(EntitySettings(accounts_per_tick=per_tick, fairness=fairness))
    assert plan(gate, TAGGED, in_flight, FREE, longest_waiting=OLDEST) == Launch(limits)


def test_an_account_that_waits_longest_and_is_tagged_most_is_counted_once() -> None:
    both = waiting(MONDAY, 99, 98)
    gate = Open(EntitySettings(accounts_per_tick=10))
    decision = plan(gate, [*both, *TAGGED], set(), FREE, longest_waiting=both)
    assert decision == Launch({MONDAY: 2, TUESDAY: 8})


@given(
    most_tagged=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=1, unique=True),
    per_tick=st.integers(1, 30),
    fairness=st.floats(0, 1),
)
def test_fairness_wastes_no_place_and_passes_no_limit(
    most_tagged: list[tuple[int, int]], per_tick: int, fairness: float
) -> None:
    pending = [PendingAccount(item, MONDAY + timedelta(days=item[0]), item[1]) for item in most_tagged]
    oldest = sorted(pending, key=lambda account: (account.cohort, -account.posts))
    gate = Open(EntitySettings(accounts_per_tick=per_tick, fairness=fairness))
    decision = plan(gate, pending, set(), FREE, longest_waiting=oldest)
    assert isinstance(decision, Launch)
    assert sum(decision.limits.values()) == min(len(pending), per_tick)
    for cohort, limit in decision.limits.items():
        assert 0 < limit <= sum(account.cohort == cohort for account in pending)


@pytest.mark.parametrize(
    ("pending", "in_flight", "due", "expected"),
    [
        ([], set(), [TUESDAY, MONDAY], {MONDAY: 0, TUESDAY: 0}),
        ([], {MONDAY}, [MONDAY, TUESDAY], {TUESDAY: 0}),
        (waiting(MONDAY, 3), set(), [MONDAY, TUESDAY], {MONDAY: 1, TUESDAY: 0}),
        (waiting(MONDAY, 3), {MONDAY}, [TUESDAY], {TUESDAY: 0}),
    ],
)
def test_cohorts_with_nothing_but_due_profiles_are_launched_without_reviews(
    pending: list[PendingAccount], in_flight: set[date], due: list[date], expected: dict[date, int]
) -> None:
    assert plan(OPEN, pending, in_flight, FREE, due) == Launch(expected)


def test_due_profiles_wait_with_everything_else_when_the_quota_is_used_up() -> None:
    assert isinstance(plan(OPEN, [], set(), replace(FREE, used=100), [MONDAY]), HoldOff)


def test_due_profiles_wait_until_instagram_may_be_asked_again() -> None:
    until = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
    decision = plan(OPEN, [], frozenset(), FREE, rests_until=until)
    assert isinstance(decision, HoldOff)
    assert "all routes rest until 2026-03-02 13:05 UTC" in str(decision.reason)
    assert isinstance(plan(OPEN, SOME, frozenset(), FREE, rests_until=until), Launch)
