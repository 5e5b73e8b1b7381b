"""Where other pipelines made `gemini_usage_events` first, its ids may be numbers or text: the ledger works the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.gemini.ledger import InFlight, Replay
from entity_pipeline.migrations import migrate
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.gemini.ledger_reading import entries_of
from entity_pipeline.resources.postgres import PooledDatabase, open_database
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.needs import NEEDS
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    BODY,
    FLASH,
    LIMITS,
    REVIEW,
    STEP,
    about,
    ask,
    quota_of,
    reserved,
    row_of,
    sent,
    settled,
    varied,
)

IDS = [
    "id uuid primary key default gen_random_uuid()",
    "id bigint primary key generated always as identity",
    "id bigserial primary key",
    "id text primary key default 'event-' || gen_random_uuid()",
]


@contextmanager
def installed_on(server: DatabaseServer, column: str) -> Iterator[tuple[PooledDatabase, list[str]]]:
    """Our ledger on a table of theirs, and what `doctor` finds missing."""
    with server.empty() as assets, server.empty() as operation:
        with psycopg.connect(assets, autocommit=True) as theirs:
            theirs.execute(
                f"create table gemini_usage_events ({column}, pipeline text, step text, model text)"
            )
        migrate(assets, operation)
        with psycopg.connect(assets) as one, psycopg.connect(operation) as other:
            missing = [
                str(problem)
                for problem in missing_schema(one, other, *NEEDS)
                if "usage_events" in str(problem)
            ]
        with open_database(assets) as database:
            yield database, missing


@pytest.fixture(params=IDS)
def theirs(database_server: DatabaseServer, request: pytest.FixtureRequest) -> Iterator[PooledDatabase]:
    with installed_on(database_server, request.param) as (database, missing):
        assert missing == []
        yield database


def test_a_request_goes_through_its_states_by_its_id(theirs: PooledDatabase) -> None:
    ledger = Ledger(theirs)
    first = settled(ledger)
    assert row_of(theirs, first.event_id)["reply"] == BODY
    failed, unknown, released = (sent(ledger, about(name)) for name in ("failed", "unknown", "released"))
    ledger.fail(failed.event_id, {}, 1)
    ledger.mark_unknown(unknown.event_id, {}, 1)
    ledger.release(released.event_id, {})
    ends = {place.event_id: row_of(theirs, place.event_id)["state"] for place in (failed, unknown, released)}
    assert list(ends.values()) == ["failed", "unknown", "released"]
    [entry] = entries_of(theirs, STEP, "brand.kr", 10)
    assert entry.id == first.event_id
    assert quota_of(ledger, LIMITS, FLASH).used == 3


def test_a_paid_reply_is_used_once(theirs: PooledDatabase) -> None:
    ledger = Ledger(theirs)
    first = settled(ledger)
    replayed = ask(ledger)
    assert isinstance(replayed, Replay)
    assert replayed.reply.event_id == first.event_id
    again = varied(REVIEW, consumed_event_id=first.event_id)
    second = settled(ledger, again)
    replayed = ask(ledger, again)
    assert isinstance(replayed, Replay)
    assert replayed.reply.event_id == second.event_id


def test_a_caller_that_lost_the_answer_is_given_the_same_place(theirs: PooledDatabase) -> None:
    def asked(claim: str) -> Any:
        return Ledger(theirs).reserve(REVIEW, 1, "run-1", claim)

    assert asked("ours").event_id == asked("ours").event_id
    assert isinstance(asked("another"), InFlight)


@pytest.mark.parametrize("column", IDS[:2])
@pytest.mark.parametrize("of_another_table", ["", "no id", "9" * 30, "'; select 1; --"])
def test_an_unusable_id_costs_no_second_payment(
    database_server: DatabaseServer, column: str, of_another_table: str
) -> None:
    with installed_on(database_server, column) as (database, _):
        ledger = Ledger(database)
        paid = settled(ledger)
        replayed = ask(ledger, varied(REVIEW, consumed_event_id=of_another_table))
        assert isinstance(replayed, Replay)
        assert replayed.reply.event_id == paid.event_id
        assert reserved(ledger, about("another", consumed_event_id=of_another_table))


def test_an_id_without_a_default_is_named(
    database_server: DatabaseServer,
) -> None:
    with installed_on(database_server, "id bigint primary key") as (_, missing):
        assert missing == ["assets: the column gemini_usage_events.id has no default; give it one."]
