from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import psycopg
import pytest

from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]


def test_each_answer_is_that_of_its_statement_whether_or_not_the_others_have_rows(
    operation: Connection,
) -> None:
    trip = RoundTrip(operation)
    trip.add("begin")
    first = trip.ask("select %s::int + 1 as n", [41], lambda rows: rows[0]["n"])
    trip.add("set local enable_seqscan = off")
    none = trip.ask("select 1 as n where false", [], len)
    last = trip.ask(
        "select %(text)s as text", {"text": "100 % of '; drop table x'"}, lambda rows: rows[0]["text"]
    )
    trip.add("commit")
    trip.go()
    assert (first.value, none.value, last.value) == (42, 0, "100 % of '; drop table x'")
    assert operation.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_they_travel_as_one_message(operation: Connection) -> None:
    trip = RoundTrip(operation)
    # A message that does not begin a transaction is one on its own.
    same = [trip.ask("select pg_current_xact_id()::text as id", [], lambda rows: rows[0]["id"]) for _ in "ab"]
    trip.go()
    trip.go()  # with nothing to send
    other = trip.ask("select pg_current_xact_id()::text as id", [], lambda rows: rows[0]["id"])
    trip.go()
    assert same[0].value == same[1].value != other.value


def test_a_statement_after_a_lock_sees_what_was_committed_while_it_was_waited_for(
    operation_db: ClonedDatabase,
) -> None:
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with (
        operation_db.connection() as first,
        operation_db.connection() as second,
        ThreadPoolExecutor(1) as pool,
    ):
        trip = RoundTrip(second)
        trip.add("begin")
        trip.add("select pg_advisory_xact_lock(7)")
        count = trip.ask("select count(*) as n from brands", [], lambda rows: rows[0]["n"])
        trip.add("commit")
        with first.transaction():
            first.execute("select pg_advisory_xact_lock(7)")
            sent = pool.submit(trip.go)
            while first.execute(waiting).fetchone() == (0,):
                sleep(0.01)
            first.execute("insert into brands (name_en) values ('Made up meanwhile')")
        sent.result(10)
        assert count.value == 1


def test_the_first_that_fails_ends_the_rest(operation: Connection) -> None:
    trip = RoundTrip(operation)
    trip.add("begin")
    trip.add("insert into brands (name_en) values ('Made up')")
    trip.add("select 1 / 0")
    after = trip.ask("select count(*) as n from brands", [], lambda rows: rows[0]["n"])
    trip.add("commit")
    with pytest.raises(psycopg.errors.DivisionByZero):
        trip.go()
    operation.execute("rollback")
    with pytest.raises(AssertionError, match="before the round trip"):
        _ = after.value
    assert operation.execute("select count(*) from brands").fetchone() == (0,)


def test_a_known_answer_needs_no_statement() -> None:
    assert RoundTripAnswer.known((1, 2)).value == (1, 2)
