"""The fake ledger changes rows exactly as the real one does."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.gemini.ledger import InFlight
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.ledger import DAY, FakeLedger
from entity_pipeline_tests.resources.gemini.ledger_cases import FLASH, LIMITS, REVIEW, SENT, figures

WRITES: dict[str, Callable[[Any, EventId], object]] = {
    "mark_sent": lambda ledger, place: ledger.mark_sent(place, SENT),
    "settle": lambda ledger, place: ledger.settle(Reserved(place, DAY, 0, FLASH, LIMITS), {}, figures(), 1),
    "fail": lambda ledger, place: ledger.fail(place, {"kind": "x"}, 1),
    "mark_unknown": lambda ledger, place: ledger.mark_unknown(place, {"kind": "x"}, 1),
    "release": lambda ledger, place: ledger.release(place, {"kind": "x"}),
}


def place(ledger: Any) -> EventId:
    reserved = ledger.reserve(REVIEW, 1, "run")
    assert isinstance(reserved, Reserved)
    return reserved.event_id


def test_every_pair_of_writes_ends_in_the_same_state_as_in_the_real_ledger(assets_db: ClonedDatabase) -> None:
    real = Ledger(assets_db)
    for names in product(WRITES, WRITES, WRITES):
        fake = FakeLedger()
        in_memory, in_database = place(fake), place(real)
        for name in names:
            WRITES[name](fake, in_memory)
            WRITES[name](real, in_database)
        with assets_db.connection() as connection:
            row = connection.execute(
                "delete from gemini_usage_events where id = %s returning state", [in_database]
            ).fetchone()
        assert row is not None
        assert (names, fake.states) == (names, [row[0]])


def test_reserve_answers_in_the_given_order_and_then_gives_places() -> None:
    busy, away = InFlight(until=None), DatabaseUnavailable("The database is away.")  # type: ignore[arg-type]
    ledger = FakeLedger(busy, None, away)
    assert ledger.reserve(REVIEW, 1, "run") is busy
    place(ledger)
    with pytest.raises(DatabaseUnavailable):
        place(ledger)
    place(ledger)
    assert ledger.states == ["reserved", "reserved"]
    assert (ledger.rows[0].call, ledger.rows[0].attempt, ledger.rows[0].run_id) == (REVIEW, 1, "run")


def test_a_place_that_may_not_be_sent_stays_reserved() -> None:
    ledger = FakeLedger(marks=[False, DatabaseUnavailable("The database is away.")])
    event_id = place(ledger)
    assert not ledger.mark_sent(event_id, SENT)
    with pytest.raises(DatabaseUnavailable):
        ledger.mark_sent(event_id, SENT)
    assert ledger.states == ["reserved"]
    assert ledger.mark_sent(event_id, SENT)
    assert ledger.states == ["sent"]


def test_a_write_that_fails_changes_nothing() -> None:
    ledger = FakeLedger(writes=[DatabaseUnavailable("The database is away."), None])
    event_id = place(ledger)
    ledger.mark_sent(event_id, SENT)
    with pytest.raises(DatabaseUnavailable):
        WRITES["fail"](ledger, event_id)
    assert ledger.states == ["sent"]
    WRITES["fail"](ledger, event_id)
    assert (ledger.states, ledger.rows[0].error) == (["failed"], {"kind": "x"})
