"""What counts against the cap, and the limits beside it: budget, rate, month, and Google's own blocks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.gemini.ledger import Refused
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.gemini.quota_day import next_reset, quota_day
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    CENT,
    FLASH,
    LIMITS,
    MONTHLY,
    PACIFIC_TODAY,
    SENT,
    about,
    add_event,
    ask,
    capped,
    grow_old,
    limited,
    quota_of,
    reserved,
    row_of,
    sent,
    settle,
    settled,
)

Connection = psycopg.Connection[Any]


def refused(ledger: Ledger, refusal: Unanswered, **asked: Any) -> datetime:
    answer = ask(ledger, **asked)
    assert isinstance(answer, Refused), answer
    assert answer.why is refusal
    return answer.retry_at


def test_the_cap_is_used_to_the_last_place(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    for name in ("a", "b"):
        reserved(ledger, about(name), capped(3))
    settled(ledger, about("c"))
    retry_at = refused(ledger, Unanswered.CAP_REACHED, call=about("d"), limits=capped(3))
    assert retry_at == next_reset(datetime.now(UTC))
    assert reserved(ledger, about("d"), capped(4)).units_before == 3
    assert reserved(ledger, about("e", grounded=False), capped(4))


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({}, True),
        ({"quota_day": None}, True),
        ({"quota_day": (PACIFIC_TODAY,)}, True),
        ({"state": "failed"}, True),
        ({"state": "unknown"}, True),
        ({"state": "sent"}, True),
        ({"model": "gemini-2.5-flash-lite"}, True),
        ({"model": "gemini-9-ultra"}, True),
        ({"model": "gemini-2.5-flash-preview-09-2025"}, True),
        ({"model": None}, True),
        ({"model": "gemini-3.8-flash"}, False),
        ({"grounded": False, "search_queries": 0}, False),
        ({"state": "released"}, False),
        ({"quota_day": (f"{PACIFIC_TODAY} - 1",)}, False),
        (
            {
                "quota_day": None,
                "created_at": (f"({PACIFIC_TODAY})::timestamp at time zone 'America/Los_Angeles'",),
            },
            True,
        ),
        (
            {
                "quota_day": None,
                "created_at": (
                    f"({PACIFIC_TODAY})::timestamp at time zone 'America/Los_Angeles' - interval '1 second'",
                ),
            },
            False,
        ),
    ],
)
def test_searches_of_other_pipelines_count_on_their_pacific_day(
    ledger: Ledger, assets: Connection, columns: dict[str, Any], counts: bool
) -> None:
    assets.execute(
        "alter table gemini_usage_events alter model drop not null"
    )  # as where we only added columns
    add_event(assets, **columns)
    status = quota_of(ledger, capped(1), FLASH)
    assert status.used == counts
    if counts:
        refused(ledger, Unanswered.CAP_REACHED, limits=capped(1))
    else:
        assert reserved(ledger, limits=capped(1)).units_before == 0


@pytest.mark.parametrize(
    ("columns", "known", "used"),
    [
        ({}, [], 1),
        ({}, ["captions"], 0),
        ({}, ["others"], 1),
        ({"pipeline": "others"}, ["captions"], 1),
        ({"search_queries": 3}, ["captions"], 1),
        ({"tool_tokens": 900}, ["captions"], 1),
        ({"search_queries": 0}, [], 0),
        ({"metadata": '{"tools": []}'}, [], 0),
        ({"metadata": '{"tools": [{"googleSearch": {}}]}'}, ["captions"], 1),
        ({"model": "gemini-embedding-001"}, [], 0),
        ({"model": "gemini-3.5-flash-lite"}, [], 0),  # of another pool
        ({"state": "released"}, [], 0),
        ({"quota_day": (f"{PACIFIC_TODAY} - 1",)}, [], 0),
    ],
)
def test_a_row_of_another_pipeline_counts_unless_it_says_that_it_did_not_search(
    ledger: Ledger, assets: Connection, columns: dict[str, Any], known: list[str], used: int
) -> None:
    add_event(assets, grounded=False, **columns)
    limits = limited(daily_grounding_cap=1, ungrounded_pipelines=known)
    assert quota_of(ledger, limits, FLASH).used == used
    if used:
        refused(ledger, Unanswered.CAP_REACHED, limits=limits)
    else:
        assert reserved(ledger, limits=limits).units_before == 0


def test_our_own_requests_without_a_search_are_not_doubtful(ledger: Ledger, assets: Connection) -> None:
    settled(ledger)
    assets.execute(
        "update gemini_usage_events set grounded = false, search_queries = null, tool_tokens = null"
    )
    assert quota_of(ledger, capped(1), FLASH).used == 0


def test_our_own_requests_of_yesterday_do_not_count_today(ledger: Ledger, assets: Connection) -> None:
    settled(ledger)
    assets.execute("update gemini_usage_events set quota_day = quota_day - 1")
    assert quota_of(ledger, capped(1), FLASH).remaining == 1
    assert reserved(ledger, about("other"), capped(1)).units_before == 0


def test_the_budget_of_the_day_holds_the_estimate_until_the_real_cost_is_known(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    two_cents = limited(daily_spend_usd=2 * CENT)
    first = sent(ledger, about("a"))
    reserved(ledger, about("b"), two_cents)
    retry_at = refused(ledger, Unanswered.SPEND_REACHED, call=about("c"), limits=two_cents)
    assert retry_at == next_reset(datetime.now(UTC))
    settle(ledger, first, token_cost_usd=Decimal("0.000001"))
    refused(ledger, Unanswered.SPEND_REACHED, call=about("c"), limits=two_cents)
    ledger.release(row_id(assets_db, "b"), {})
    reserved(ledger, about("c"), two_cents)


def row_id(database: ClonedDatabase, subject: str) -> Any:
    with database.connection() as connection:
        row = connection.execute(
            "select id from gemini_usage_events where subject = %s", [subject]
        ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({"grounded": False}, True),
        ({"model": "gemini-3.8-flash"}, True),
        ({"quota_day": None}, True),
        ({"state": "released"}, False),
        ({"quota_day": (f"{PACIFIC_TODAY} - 1",)}, False),
    ],
)
def test_what_other_pipelines_spend_today_comes_out_of_the_same_budget(
    ledger: Ledger, assets: Connection, columns: dict[str, Any], counts: bool
) -> None:
    add_event(assets, cost_usd=Decimal(100), **columns)
    if counts:
        refused(ledger, Unanswered.SPEND_REACHED)
    else:
        assert reserved(ledger)


def test_a_search_beyond_the_free_allowance_settles_with_its_fee(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection
) -> None:
    assets.execute(
        "insert into gemini_usage_events (pipeline, step, model, grounded) "
        "select 'captions', 'draft', 'gemini-2.5-flash', true from generate_series(1, 1499)"
    )
    free, paid = sent_under(ledger, "a"), sent_under(ledger, "b")
    assert row_of(assets_db, paid.event_id)["cost_usd"] == CENT + Decimal("0.035")
    for place in (free, paid):
        settle(ledger, place)
    assert row_of(assets_db, free.event_id)["cost_usd"] == Decimal("0.000230")
    assert row_of(assets_db, paid.event_id)["cost_usd"] == Decimal("0.035230")


def sent_under(ledger: Ledger, subject: str) -> Reserved:
    place = reserved(ledger, about(subject), limited(daily_grounding_cap=2_000, paid_grounding=True))
    assert ledger.mark_sent(place.event_id, SENT)
    return place


def test_a_full_minute_is_free_again_when_its_first_request_is_a_minute_old(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection
) -> None:
    two_a_minute = limited(requests_per_minute=2)
    add_event(assets, grounded=False)
    first = reserved(ledger, about("a"), two_a_minute)
    oldest = assets.execute("select min(created_at) from gemini_usage_events").fetchone()
    assert oldest is not None
    retry_at = refused(ledger, Unanswered.RATE_LIMITED, call=about("b"), limits=two_a_minute)
    assert retry_at == oldest[0] + timedelta(seconds=60)
    ledger.release(first.event_id, {})
    second = reserved(ledger, about("b"), two_a_minute)
    assets.execute("update gemini_usage_events set created_at = created_at - interval '60 seconds'")
    assert reserved(ledger, about("c"), two_a_minute) != second


def test_a_month_of_queries_is_counted_from_its_first_pacific_day(ledger: Ledger, assets: Connection) -> None:
    first_of_month = (f"date_trunc('month', {PACIFIC_TODAY})::date",)
    asked = {"call": about("a", model=MONTHLY.name), "limits": capped(1_000_000), "model": MONTHLY}
    add_event(assets, model="gemini-3.6-flash", quota_day=first_of_month, search_queries=4_992)
    add_event(assets, model="gemini-2.5-flash", quota_day=first_of_month, search_queries=9_000)
    add_event(assets, model=MONTHLY.name, quota_day=(f"{first_of_month[0]} - 1",), search_queries=9_000)
    place = reserved(ledger, **asked)
    assert place.units_before == 4_992
    month_end = refused(ledger, Unanswered.CAP_REACHED, **{**asked, "call": about("b", model=MONTHLY.name)})
    assert month_end == next_reset(datetime.now(UTC), "month")
    status = quota_of(ledger, capped(1_000_000), MONTHLY)
    assert (status.remaining, status.cap_reached, status.resets_at) == (0, True, month_end)
    ledger.mark_sent(place.event_id, SENT)
    settle(ledger, place, MONTHLY, search_queries=3)
    assert quota_of(ledger, capped(1_000_000), MONTHLY).remaining == 5
    refused(ledger, Unanswered.CAP_REACHED, **{**asked, "call": about("b", model=MONTHLY.name)})


def test_the_daily_cap_of_a_monthly_pool_opens_again_at_midnight(ledger: Ledger, assets: Connection) -> None:
    add_event(assets, model=MONTHLY.name, search_queries=95)
    status = quota_of(ledger, capped(100), MONTHLY)
    assert (status.used, status.remaining, status.cap_reached) == (95, 5, True)
    assert status.resets_at == next_reset(datetime.now(UTC))
    tomorrow = refused(ledger, Unanswered.CAP_REACHED, limits=capped(100), model=MONTHLY)
    assert tomorrow == status.resets_at


def test_the_figures_for_people_equal_the_rows(ledger: Ledger, assets: Connection) -> None:
    settled(ledger, about("a"))
    ledger.fail(sent(ledger, about("b")).event_id, {}, 1)
    ledger.mark_unknown(sent(ledger, about("c")).event_id, {}, 1)
    ledger.release(sent(ledger, about("d")).event_id, {})
    sent(ledger, about("e"))
    reserved(ledger, about("f"))
    settled(ledger, about("g", grounded=False))
    add_event(assets, cost_usd=Decimal("1.5"))
    status = quota_of(ledger, capped(8), FLASH)
    assert (status.used, status.reserved, status.cap, status.remaining) == (5, 1, 8, 2)
    sums = assets.execute("select sum(cost_usd), count(*) from gemini_usage_events where state <> 'released'")
    spent_usd, _ = sums.fetchone() or (None, None)
    assert status.spent_usd == spent_usd == Decimal("1.530460")
    assert (status.model, status.unit, status.spend_limit_usd) == ("gemini-2.5-flash", "prompt", 100)
    assert status.quota_day == quota_day(datetime.now(UTC))
    assert (status.resets_at, status.blocked_until) == (next_reset(datetime.now(UTC)), None)


def test_sent_and_answered_requests_are_counted_since_an_instant(ledger: Ledger) -> None:
    start = datetime.now(UTC) - timedelta(seconds=5)
    settled(ledger, about("a"))
    settled(ledger, about("b", grounded=False))
    sent(ledger, about("c"))
    reserved(ledger, about("d"))
    ledger.release(sent(ledger, about("e")).event_id, {})
    assert ledger.count_sent(start) == (3, 2)
    assert ledger.count_answered(start) == 1
    later = datetime.now(UTC) + timedelta(seconds=5)
    assert (ledger.count_sent(later), ledger.count_answered(later)) == ((0, 0), 0)


@pytest.mark.parametrize(
    ("kind", "expected"), [("until the reset", timedelta(hours=9)), ("for a minute", timedelta(seconds=30))]
)
def test_a_block_of_google_holds_every_request_of_the_pool(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection, kind: str, expected: timedelta
) -> None:
    until = datetime.now(UTC) + expected
    ledger.fail(sent(ledger).event_id, {"kind": kind}, 1, blocked_until=until)
    assert refused(ledger, Unanswered.BLOCKED_BY_GOOGLE) == until
    assert refused(ledger, Unanswered.BLOCKED_BY_GOOGLE, call=about("other", grounded=False)) == until
    assert quota_of(ledger, LIMITS, FLASH).blocked_until == until
    lite = about("a", model="gemini-2.5-flash-lite")
    assert refused(ledger, Unanswered.BLOCKED_BY_GOOGLE, call=lite) == until
    assert reserved(ledger, about("b", model=MONTHLY.name), model=MONTHLY)
    assets.execute("update gemini_usage_events set blocked_until = now() - interval '1 second'")
    assert reserved(ledger)
    assert quota_of(ledger, LIMITS, FLASH).blocked_until is None


def test_the_longest_of_several_blocks_counts(ledger: Ledger) -> None:
    soon, late = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (30, 3_000))
    first, second = sent(ledger, about("a")), sent(ledger, about("b"))
    ledger.fail(first.event_id, {}, 1, blocked_until=late)
    ledger.fail(second.event_id, {}, 1, blocked_until=soon)
    assert refused(ledger, Unanswered.BLOCKED_BY_GOOGLE) == late


def test_a_dead_process_s_row_of_the_account_is_closed_even_when_nothing_more_may_be_sent(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    place = sent(ledger, about("a"))
    grow_old(assets_db)
    refused(ledger, Unanswered.CAP_REACHED, call=about("a"), limits=capped(1))
    assert row_of(assets_db, place.event_id)["state"] == "unknown"
