"""One place under the cap, row by row: reserved, sent, and its end, whatever that is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.gemini.ledger import Replay
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    BODY,
    CENT,
    FLASH,
    LIMITS,
    REVIEW,
    SENT,
    about,
    ask,
    capped,
    grow_old,
    quota_of,
    reserved,
    row_of,
    sent,
    settle,
    settled,
    states,
)

Connection = psycopg.Connection[Any]


def test_a_reservation_is_one_row_that_says_everything(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    before = datetime.now(UTC)
    place = ledger.reserve(REVIEW, 2, "run-7", "attempt-1")
    assert isinstance(place, Reserved)
    row = row_of(assets_db, place.event_id)
    assert row["created_at"] == row["state_changed_at"]
    assert timedelta(seconds=-1) < row["created_at"] - before < timedelta(seconds=10)
    expected = {
        "pipeline": "entity_enrichment",
        "step": "instagram_account_review",
        "model": "gemini-2.5-flash",
        "grounded": True,
        "state": "reserved",
        "quota_day": quota_day(row["created_at"]),
        "subject": "brand.kr",
        "input_hash": "input-1",
        "attempt": 2,
        "cost_usd": CENT,
        "billed_model": None,
        "request": None,
        "metadata": {"kind": "review", "config_hash": "config-1", "run_id": "run-7", "claim": "attempt-1"},
        "reply": None,
        "error": None,
        "search_queries": None,
        "blocked_until": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert (place.quota_day, place.units_before) == (row["quota_day"], 0)


def test_a_settled_row_keeps_the_reply_and_what_it_cost(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = sent(ledger)
    assert row_of(assets_db, place.event_id)["state"] == "sent"
    settle(ledger, place, body={**BODY, "odd": "a\x00b"})
    expected = {
        "state": "settled",
        "reply": {**BODY, "odd": "a\N{REPLACEMENT CHARACTER}b"},
        "error": None,
        "model_version": "gemini-2.5-flash",
        "search_queries": 2,
        "prompt_tokens": 85,
        "cached_tokens": 5,
        "output_tokens": 28,
        "thoughts_tokens": 54,
        "tool_tokens": 132,
        "cost_usd": Decimal("0.000230"),
        "latency_ms": 1_234,
    }
    row = row_of(assets_db, place.event_id)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("finish", "state", "cost_usd", "counts"),
    [
        (lambda ledger, place: ledger.fail(place, {"kind": "overloaded"}, 7), "failed", Decimal(0), True),
        (lambda ledger, place: ledger.mark_unknown(place, {"kind": "lost"}, 7), "unknown", CENT, True),
        (lambda ledger, place: ledger.release(place, {"kind": "unsent"}), "released", Decimal(0), False),
    ],
    ids=["failed", "unknown", "released"],
)
def test_a_request_without_an_answer_ends_with_its_reason(
    ledger: Ledger,
    assets_db: ClonedDatabase,
    finish: Callable[..., None],
    state: str,
    cost_usd: Decimal,
    counts: bool,
) -> None:
    place = sent(ledger)
    finish(ledger, place.event_id)
    row = row_of(assets_db, place.event_id)
    assert (row["state"], row["cost_usd"]) == (state, cost_usd)
    assert row["error"]["kind"] in ("overloaded", "lost", "unsent")
    assert quota_of(ledger, LIMITS, FLASH).used == counts


@pytest.mark.parametrize("late", ["fail", "mark_unknown", "release", "mark_sent", "settle"])
def test_a_settled_row_is_final(ledger: Ledger, assets_db: ClonedDatabase, late: str) -> None:
    place = settled(ledger)
    before = row_of(assets_db, place.event_id)
    if late == "settle":
        settle(ledger, place, body={"other": 1}, token_cost_usd=Decimal(1))
    elif late == "mark_sent":
        assert not ledger.mark_sent(place.event_id, SENT)
    elif late == "release":
        ledger.release(place.event_id, {"kind": "unsent"})
    else:
        getattr(ledger, late)(place.event_id, {"kind": "late"}, 1)
    assert row_of(assets_db, place.event_id) == before


_LATE: dict[str, Callable[[Ledger, Reserved], object]] = {
    "sent": lambda ledger, place: ledger.mark_sent(place.event_id, SENT),
    "settled": settle,
    "failed": lambda ledger, place: ledger.fail(place.event_id, {"kind": "late"}, 1),
    "unknown": lambda ledger, place: ledger.mark_unknown(place.event_id, {"kind": "late"}, 1),
    "released": lambda ledger, place: ledger.release(place.event_id, {"kind": "late"}),
}


@pytest.mark.parametrize("late", _LATE)
@pytest.mark.parametrize("end", ["failed", "released", "unknown"])
def test_a_row_that_has_ended_only_takes_a_late_answer(
    ledger: Ledger, assets_db: ClonedDatabase, end: str, late: str
) -> None:
    place = sent(ledger)
    _LATE[end](ledger, place)
    _LATE[late](ledger, place)
    takes_it = end == "unknown" and late in ("settled", "failed")
    assert row_of(assets_db, place.event_id)["state"] == (late if takes_it else end)


def test_a_row_that_was_never_sent_does_not_settle(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = reserved(ledger)
    settle(ledger, place)
    ledger.fail(place.event_id, {}, 1)
    ledger.mark_unknown(place.event_id, {}, 1)
    assert row_of(assets_db, place.event_id)["state"] == "reserved"


def test_a_place_is_given_back_before_and_after_it_was_marked_sent(ledger: Ledger) -> None:
    for take in (reserved, sent):
        place = take(ledger)
        ledger.release(place.event_id, {"kind": "unsent"})
        assert quota_of(ledger, capped(1), FLASH).remaining == 1


def test_a_reservation_of_yesterday_is_not_sent_today(ledger: Ledger, assets: Connection) -> None:
    place = reserved(ledger)
    assets.execute("update gemini_usage_events set quota_day = quota_day - 1")
    assert not ledger.mark_sent(place.event_id, SENT)


def test_a_reservation_older_than_the_limit_is_not_sent(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = reserved(ledger)
    grow_old(assets_db, 91)
    assert not ledger.mark_sent(place.event_id, SENT)
    assert states(assets_db) == ["reserved"]


def test_a_reservation_just_within_the_limit_is_sent(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = reserved(ledger)
    grow_old(assets_db, 80)
    assert ledger.mark_sent(place.event_id, SENT)


def test_a_swept_reservation_is_never_sent(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = reserved(ledger)
    grow_old(assets_db)
    assert ledger.sweep() == 1
    assert not ledger.mark_sent(place.event_id, SENT)
    assert states(assets_db) == ["released"]


def test_the_sweep_frees_what_was_not_sent_and_counts_what_was(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    never_sent, was_sent = reserved(ledger, about("a")), sent(ledger, about("b"))
    assert ledger.sweep() == 0
    grow_old(assets_db, 85)
    assert ledger.sweep() == 0
    grow_old(assets_db, 10)
    young = sent(ledger, about("c"))
    assert ledger.sweep() == 2
    freed, counted = row_of(assets_db, never_sent.event_id), row_of(assets_db, was_sent.event_id)
    assert (freed["state"], freed["cost_usd"], freed["error"]["message"]) == ("released", 0, "never sent")
    assert (counted["state"], counted["cost_usd"]) == ("unknown", CENT)
    assert counted["error"] == {"kind": "stale", "message": "no answer was recorded; counted as used"}
    assert row_of(assets_db, young.event_id)["state"] == "sent"
    assert quota_of(ledger, LIMITS, FLASH).used == 2
    assert ledger.sweep() == 0


def test_an_answer_that_comes_after_the_sweep_is_still_kept(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    place = sent(ledger)
    grow_old(assets_db)
    ledger.sweep()
    settle(ledger, place)
    row = row_of(assets_db, place.event_id)
    assert (row["state"], row["reply"], row["error"]) == ("settled", BODY, None)
    assert isinstance(ask(ledger), Replay)


def test_an_error_that_comes_after_the_sweep_is_still_kept(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    place = sent(ledger)
    grow_old(assets_db)
    ledger.sweep()
    ledger.fail(place.event_id, {"kind": "overloaded"}, 5)
    assert row_of(assets_db, place.event_id)["error"] == {"kind": "overloaded"}


def test_without_a_connection_to_the_ledger_there_is_no_place(closed_port: int) -> None:
    url = f"postgresql://nobody@127.0.0.1:{closed_port}/assets"
    with open_database(url) as database, pytest.raises(DatabaseUnavailable, match="can't be reached"):
        ask(Ledger(database), limits=None)
