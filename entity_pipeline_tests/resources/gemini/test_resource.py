"""`GeminiResource` as the domains use it: real ledger, real SDK, the local stand-in for Gemini."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, ModelUnavailable
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.core.gemini.request import Text
from entity_pipeline.core.gemini.usage import most_token_cost_usd
from entity_pipeline.resources import postgres
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.gemini_standin import INVALID_KEY
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.stop import ImpatientStop
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    FLASH,
    REVIEW,
    Kind,
    capped,
    limit,
    row_of,
    states,
    varied,
)
from entity_pipeline_tests.standins import GeminiStandin

QUESTION = replace(
    REVIEW,
    request=replace(REVIEW.request, system="Be exact.", parts=(Text('Who is {"username": "somebody.kr"}?'),)),
)


@pytest.fixture
def standin() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as server:
        yield server


@pytest.fixture
def nowhere(closed_port: int) -> str:
    """An address at which no server answers."""
    return f"http://127.0.0.1:{closed_port}"


def resource(database: ClonedDatabase | str, base_url: str, **changes: Any) -> GeminiResource:
    url = database if isinstance(database, str) else database.url
    settings: dict[str, Any] = {"api_key": "any", "base_url": base_url, "model_name": "gemini-2.5-flash"}
    return GeminiResource(assets_db=PostgresResource(url=url), **settings | changes)


def ask(gemini: GeminiAccess, call: Call = QUESTION) -> Answered | NotAnswered:
    deadline = datetime.now(UTC) + timedelta(minutes=5)
    return gemini.ask(call, run_id="run-1", stop=ImpatientStop(), deadline=deadline)


def test_a_question_is_paid_once_and_replayed_afterwards(
    assets_db: ClonedDatabase, standin: GeminiStandin
) -> None:
    gemini = resource(assets_db, standin.url)
    first, second = ask(gemini), ask(gemini)
    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.reply == first.reply
    assert standin.requests["total"] == 1
    row = row_of(assets_db, first.reply.event_id)
    usage = first.reply.body["usageMetadata"]
    assert (row["state"], row["grounded"], row["model_version"]) == ("settled", True, "gemini-2.5-flash")
    assert (row["prompt_tokens"], row["thoughts_tokens"]) == (
        usage["promptTokenCount"],
        usage["thoughtsTokenCount"],
    )
    assert Decimal(0) < row["cost_usd"] <= most_token_cost_usd(FLASH, QUESTION.request, row["quota_day"])
    assert (row["request"]["model"], row["billed_model"]) == ("gemini-2.5-flash", None)
    limit(assets_db, capped(10))
    assert gemini.quota().remaining == 9
    today = gemini.quota().quota_day
    assert gemini.roll_up_spend(today) == 1
    assert [(day.requests, day.cost_usd) for day in gemini.spend(today)] == [(1, row["cost_usd"])]
    gemini.teardown_after_execution(dg.build_init_resource_context())
    assert isinstance(ask(gemini, varied(QUESTION, subject="other")), Answered)
    gemini.teardown_after_execution(dg.build_init_resource_context())


def test_the_cap_holds_to_the_last_request(assets_db: ClonedDatabase, standin: GeminiStandin) -> None:
    gemini = resource(assets_db, standin.url)
    limit(assets_db, capped(3))
    answers = [ask(gemini, varied(QUESTION, subject=f"account_{nth}")) for nth in range(5)]
    assert [isinstance(answer, Answered) for answer in answers] == [True] * 3 + [False] * 2
    assert isinstance(answers[-1], NotAnswered)
    assert answers[-1].reason is Unanswered.CAP_REACHED
    assert standin.requests["grounded"] == 3


def test_a_question_without_search_is_not_counted_as_one(
    assets_db: ClonedDatabase, standin: GeminiStandin
) -> None:
    gemini = resource(assets_db, standin.url)
    limit(assets_db, capped(0))
    answer = ask(gemini, varied(QUESTION, kind=Kind.REPAIR, grounded=False))
    assert isinstance(answer, Answered)
    assert standin.requests["grounded"] == 0
    assert row_of(assets_db, answer.reply.event_id)["search_queries"] == 0


def test_a_refused_key_ends_the_run(assets_db: ClonedDatabase, standin: GeminiStandin) -> None:
    with pytest.raises(ModelUnavailable, match="check GEMINI_API_KEY, GEMINI_MODEL") as raised:
        ask(resource(assets_db, standin.url, api_key=INVALID_KEY))
    assert INVALID_KEY not in str(raised.value).replace("API key not valid", "")
    assert states(assets_db) == ["failed"]


def test_a_missing_key_is_reported_before_anything_is_sent(assets_db: ClonedDatabase, nowhere: str) -> None:
    with pytest.raises(ConfigurationFailure, match=r"^GEMINI_API_KEY is not set: set it to a key"):
        ask(resource(assets_db, nowhere, api_key=""))
    assert states(assets_db) == []


def test_a_model_without_a_known_price_is_not_asked(assets_db: ClonedDatabase, nowhere: str) -> None:
    gemini = resource(assets_db, nowhere, model_name="gemini-9-ultra")
    for action in (lambda: ask(gemini, varied(QUESTION, model="gemini-9-ultra")), gemini.quota):
        with pytest.raises(ConfigurationFailure, match="GEMINI_MODEL is 'gemini-9-ultra', whose prices"):
            action()
    assert states(assets_db) == []


def test_an_unreachable_server_costs_no_place(assets_db: ClonedDatabase, nowhere: str) -> None:
    gemini = resource(assets_db, nowhere)
    answer = ask(gemini)
    assert isinstance(answer, NotAnswered)
    assert answer.reason is Unanswered.UNREACHABLE
    assert states(assets_db) == ["released"]
    limit(assets_db, capped(1))
    assert gemini.quota().remaining == 1


def test_without_the_ledger_nothing_is_sent(
    standin: GeminiStandin, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_DIAGNOSE_AFTER_S", 0.01)
    gemini = resource(f"postgresql://nobody@127.0.0.1:{closed_port}/assets", standin.url)
    for action in (lambda: ask(gemini), gemini.sweep, gemini.quota):
        with pytest.raises(DatabaseUnavailable):
            action()
    assert standin.requests["total"] == 0


def test_sweeping_closes_what_a_dead_process_left_open(assets_db: ClonedDatabase, nowhere: str) -> None:
    gemini = resource(assets_db, nowhere)
    gemini.ledger.reserve(REVIEW, 1, "dead run")
    with assets_db.connection() as connection:
        connection.execute("update gemini_usage_events set state_changed_at = now() - interval '91 seconds'")
    assert gemini.sweep() == 1
    assert states(assets_db) == ["released"]
