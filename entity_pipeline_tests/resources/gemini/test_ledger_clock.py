"""The exact times at which the ledger's limits change: seconds, midnights, days of 23 and 25 hours."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.gemini.ledger import Refused
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    CENT,
    FLASH,
    LIMITS,
    MONTHLY,
    SENT,
    about,
    add_event,
    ask,
    capped,
    limited,
    quota_of,
    refusal,
    reserved,
    sent,
)
from entity_pipeline_tests.resources.gemini.simulated_clock import SimulatedClock, pacific

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def clock(assets: psycopg.Connection[Any]) -> SimulatedClock:
    return SimulatedClock(assets, pacific("2026-06-10 12:00"))


@pytest.fixture
def ledger(clock: SimulatedClock, assets_db: ClonedDatabase) -> Ledger:
    """Its connections follow the clock, which is there first."""
    return Ledger(assets_db)


def test_the_clock_of_the_test_is_the_clock_of_the_ledger(ledger: Ledger, clock: SimulatedClock) -> None:
    assert quota_of(ledger, LIMITS, FLASH).quota_day.isoformat() == "2026-06-10"
    clock.set(pacific("2026-06-10 23:59:59.999"))
    assert quota_of(ledger, LIMITS, FLASH).quota_day.isoformat() == "2026-06-10"
    clock.advance(0.001)
    assert quota_of(ledger, LIMITS, FLASH).quota_day.isoformat() == "2026-06-11"


@pytest.mark.parametrize(
    ("age_s", "may_leave", "swept"), [(89.999, True, 0), (90, False, 0), (90.001, False, 1)]
)
def test_a_place_can_be_sent_or_swept_but_never_both(
    ledger: Ledger, clock: SimulatedClock, age_s: float, may_leave: bool, swept: int
) -> None:
    place = reserved(ledger)
    clock.advance(age_s)
    assert ledger.sweep() == swept
    assert ledger.mark_sent(place.event_id, SENT) is may_leave


def test_what_was_swept_is_not_swept_again(ledger: Ledger, clock: SimulatedClock) -> None:
    sent(ledger)
    for rows in (1, 0):
        clock.advance(91)
        assert ledger.sweep() == rows
    assert quota_of(ledger, LIMITS, FLASH).used == 1


def test_the_minute_ends_after_sixty_seconds(ledger: Ledger, clock: SimulatedClock) -> None:
    one_a_minute = limited(requests_per_minute=1)
    began = clock.now
    reserved(ledger, about("a"), one_a_minute)
    clock.advance(59.999)
    answer = ask(ledger, about("b"), one_a_minute)
    assert refusal(answer) == (Unanswered.RATE_LIMITED, began + timedelta(seconds=60))
    clock.advance(0.001)
    assert reserved(ledger, about("b"), one_a_minute)


def test_a_block_ends_exactly_at_its_time(ledger: Ledger, clock: SimulatedClock) -> None:
    until = clock.now + timedelta(seconds=30)
    ledger.fail(sent(ledger).event_id, {"kind": "exhausted"}, 1, until)
    clock.set(until - MOMENT)
    assert refusal(ask(ledger)) == (Unanswered.BLOCKED_BY_GOOGLE, until)
    clock.set(until)
    assert reserved(ledger)


DAYS = [
    ("2026-06-10 00:00", "2026-06-11 00:00", 24),
    ("2026-03-08 00:00", "2026-03-09 00:00", 23),
    ("2026-11-01 00:00", "2026-11-02 00:00", 25),
]


@pytest.mark.parametrize(("first", "following", "hours"), DAYS)
@pytest.mark.parametrize("limit", ["cap", "budget"])
def test_a_limit_of_the_day_holds_from_midnight_to_midnight(
    ledger: Ledger, clock: SimulatedClock, first: str, following: str, hours: int, limit: str
) -> None:
    limits = capped(1) if limit == "cap" else limited(daily_spend_usd=CENT)
    why = Unanswered.CAP_REACHED if limit == "cap" else Unanswered.SPEND_REACHED
    begins, ends = pacific(first), pacific(following)
    assert ends - begins == timedelta(hours=hours)
    clock.set(begins - MOMENT)
    assert reserved(ledger, about("yesterday"), limits)
    clock.set(begins)
    place = reserved(ledger, about("today"), limits)
    assert place.quota_day.isoformat() == first[:10]
    assert ledger.mark_sent(place.event_id, SENT)
    for at in (begins + timedelta(hours=2, minutes=30), ends - MOMENT):
        clock.set(at)
        assert refusal(ask(ledger, about("late"), limits)) == (why, ends)
    clock.set(ends)
    assert reserved(ledger, about("tomorrow"), limits)


def test_a_place_of_the_last_moment_of_the_day_is_not_sent_after_midnight(
    ledger: Ledger, clock: SimulatedClock
) -> None:
    clock.set(pacific("2026-11-01 23:59:59.999"))
    place = reserved(ledger)
    clock.advance(0.001)
    assert not ledger.mark_sent(place.event_id, SENT)


@pytest.mark.parametrize(
    ("written_at", "asked_at", "counts"),
    [
        ("2026-06-10 00:00", "2026-06-10 23:59:59.999", True),
        ("2026-06-09 23:59:59.999", "2026-06-10 00:00", False),
        ("2026-06-10 17:30", "2026-06-10 23:00", True),  # two days in UTC
        ("2026-06-09 17:30", "2026-06-10 01:00", False),  # one day in UTC
        ("2026-11-01 00:00", "2026-11-01 23:59:59.999", True),
        ("2026-03-07 23:59:59.999", "2026-03-08 00:00", False),
    ],
)
@pytest.mark.parametrize("dated", [True, False], ids=["with its day", "without"])
def test_a_search_of_another_pipeline_counts_on_the_pacific_day_of_its_writing(
    ledger: Ledger,
    clock: SimulatedClock,
    assets: psycopg.Connection[Any],
    written_at: str,
    asked_at: str,
    counts: bool,
    dated: bool,
) -> None:
    day = datetime.fromisoformat(written_at).date() if dated else None
    add_event(assets, created_at=pacific(written_at), quota_day=day)
    clock.set(pacific(asked_at))
    assert isinstance(ask(ledger, limits=capped(1)), Refused if counts else Reserved)


def test_the_month_of_queries_ends_at_the_pacific_midnight(
    ledger: Ledger, clock: SimulatedClock, assets: psycopg.Connection[Any]
) -> None:
    limits, ends = capped(1_000_000), pacific("2026-11-01 00:00")
    add_event(
        assets,
        model=MONTHLY.name,
        created_at=pacific("2026-10-01 00:00"),
        quota_day=None,
        search_queries=4_993,
    )
    clock.set(ends - MOMENT)
    asked = about("a", model=MONTHLY.name)
    assert refusal(ask(ledger, asked, limits, MONTHLY)) == (Unanswered.CAP_REACHED, ends)
    clock.set(ends)
    assert reserved(ledger, asked, limits, MONTHLY)
