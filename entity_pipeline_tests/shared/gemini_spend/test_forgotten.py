"""Texts leave the ledger, figures stay."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from entity_pipeline.shared.gemini_spend.forgotten import forget_older, forget_subjects
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.batch_cases import (
    calls_about,
    ended,
    figures,
    installed,
    submitted,
)
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP, limit, limited

_TEXTS = """
select count(*) from gemini_usage_events
where reply is not null or request ?| '{system,parts,sealed}'::text[] or error ? 'message'
"""


def texts(connection: psycopg.Connection[Any]) -> int:
    [count] = connection.execute(_TEXTS).fetchone() or [0]
    return int(count)


def test_the_texts_about_a_subject_go_and_its_money_stays(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    with installed(assets_db) as (gemini, _):
        limit(assets_db, limited(keep_requests="full"))
        name = submitted(gemini, calls_about(3))
        ended(gemini, name)
        before = figures(assets_db)
        assert texts(assets) == 3
        assert forget_subjects(assets, STEP, ["one.0", "one.2", "stranger"]) == 2
        assert texts(assets) == 1
        assert forget_subjects(assets, STEP, ["one.0", "one.2"]) == 0
        assert figures(assets_db) == before
        ticket = gemini.submit(calls_about(1), run_id="run-2")
        assert getattr(ticket, "subjects", None) == {"one.0"}, "a reply without text is not replayed"


def test_a_reply_that_arrives_later_goes_with_the_next_call(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    with installed(assets_db) as (gemini, _):
        limit(assets_db, limited(keep_requests="full"))
        name = submitted(gemini, calls_about(1))
        assert forget_subjects(assets, STEP, ["one.0"]) == 1
        ended(gemini, name)
        assert texts(assets) == 1
        assert forget_subjects(assets, STEP, ["one.0"]) == 1
        assert texts(assets) == 0


def test_old_texts_go_and_those_of_open_requests_stay(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    with installed(assets_db) as (gemini, _):
        limit(assets_db, limited(keep_requests="full"))
        ended(gemini, submitted(gemini, calls_about(2)))
        submitted(gemini, calls_about(5)[2:])
        assert forget_older(assets, STEP, datetime.now(UTC) - timedelta(days=1)) == 0
        assert forget_older(assets, STEP, datetime.now(UTC) + timedelta(minutes=1)) == 2
        assert forget_older(assets, STEP, datetime.now(UTC) + timedelta(minutes=1)) == 0
        assert texts(assets) == 3
