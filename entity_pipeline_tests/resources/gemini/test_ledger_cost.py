"""What a request costs the ledger, in units independent of the machine: round trips and whole-table reads."""

import psycopg

from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.reliability.kill_wire import PostgresWire, Watch
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    FLASH,
    LIMITS,
    about,
    add_event,
    quota_of,
    settled,
)


def test_a_request_is_four_round_trips(assets_db: ClonedDatabase) -> None:
    watch = Watch()
    with PostgresWire("db", assets_db.url, lambda: watch) as wire, open_database(wire.url) as database:
        settled(Ledger(database), limits=None)
    words = ["pg_advisory_xact_lock", "ledger_reserve", "ledger_mark_sent", "ledger_settle"]
    assert len(watch.points) == len(words)
    assert all(word in point for word, point in zip(words, watch.points, strict=True))


def whole_reads(connection: psycopg.Connection) -> int:
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select seq_scan from pg_stat_user_tables where relname = 'gemini_usage_events'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_no_statement_of_a_request_reads_the_whole_table_even_if_planned_while_it_was_empty(
    assets_db: ClonedDatabase, assets: psycopg.Connection
) -> None:
    with open_database(assets_db.url, max_connections=1, application_name="one") as database:
        ledger = Ledger(database)
        for number in range(8):  # from the sixth on, a plan may be kept
            settled(ledger, about(f"account_{number}"))
        for number in range(200):
            add_event(assets, subject=f"theirs_{number}")
        with database.connection() as connection:
            before = whole_reads(connection)
        settled(ledger)
        quota_of(ledger, LIMITS, FLASH)
        with database.connection() as connection:
            assert whole_reads(connection) == before
