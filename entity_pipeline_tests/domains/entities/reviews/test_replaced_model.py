"""Another model answers: reviews hold at the first such reply, no account fails, nothing is paid for twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.settings import Open
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, PendingAccount, plan
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.reviews.review import WORDS, Reviewer
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.shared.runs.workers import Workers, gated_jobs
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.reviews.test_review import add, review_of
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.resources.gemini.ledger_cases import limit, limited
from entity_pipeline_tests.standins import GeminiStandin

THREADS, ACCOUNTS, TICKS = 8, 24, 100
ASKED, SUCCESSOR = "gemini-2.5-flash", "gemini-3.5-flash-lite"
SETTINGS = EntitySettings(concurrency=THREADS)


@pytest.fixture
def standin() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=150) as server:
        server.successors[ASKED] = SUCCESSOR
        yield server


@pytest.fixture
def accounts(operation_db: ClonedDatabase) -> list[UUID]:
    return [add(operation_db, f"brand.{number}") for number in range(ACCOUNTS)]


UNUSED: Any = None  # the assets database is not opened for an account without sample posts


def process(assets_db: ClonedDatabase, standin: GeminiStandin, model: str = ASKED) -> GeminiResource:
    """Gemini as a newly started process has it."""
    return GeminiResource(
        assets_db=PostgresResource(url=assets_db.url), api_key="any", base_url=standin.url, model_name=model
    )


def run(operation_db: ClonedDatabase, gemini: GeminiResource, accounts: list[UUID]) -> Workers:
    reviewer = Reviewer(
        assets_db=UNUSED,
        operation_db=operation_db,
        gemini=gemini,
        run_id="run",
        refresh="none",
        stop=Event(),
        deadline=datetime.now(UTC) + timedelta(minutes=5),
    )
    jobs = gated_jobs(
        accounts,
        reviewer.review,
        FakeSettings(Open(SETTINGS)),
        EntitySettings,
        stop=reviewer.stop,
        deadline=reviewer.deadline,
    )
    workers = Workers(reviewer.stop, THREADS, WORDS)
    workers.work_through(jobs)
    return workers


def tick(gemini: GeminiResource) -> Any:
    """What the schedule decides while accounts wait."""
    waiting = [PendingAccount(1, datetime.now(UTC).date(), 1)]
    return plan(Open(SETTINGS), waiting, frozenset(), gemini.quota(STEP))


def rows(assets_db: ClonedDatabase) -> list[Any]:
    with assets_db.connection() as connection:
        return connection.execute(
            "select subject, state, model, billed_model, search_queries from gemini_usage_events"
        ).fetchall()


@pytest.mark.timeout(300)
def test_the_first_reply_of_a_successor_holds_everything_until_it_is_accepted_and_is_then_used(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, standin: GeminiStandin, accounts: list[UUID]
) -> None:
    limit(assets_db, limited())
    first = run(operation_db, process(assets_db, standin), accounts)
    paid = standin.requests["total"]
    assert 1 <= paid <= THREADS
    assert first.outcomes.total() == 0
    assert f"Gemini answered with {SUCCESSOR} in place of {ASKED}" in first.held_because
    assert {row[1:4] for row in rows(assets_db)} == {("settled", ASKED, SUCCESSOR)}
    assert all(review_of(operation_db, account) == {} for account in accounts)

    gemini = process(assets_db, standin)
    held = gemini.quota(STEP)
    assert (held.is_replaced, held.answered_by, held.unit) == (True, SUCCESSOR, "query")
    for _ in range(TICKS):
        decision = tick(gemini)
        assert isinstance(decision, HoldOff)
        assert "accept_models" in str(decision.reason)
    for _ in range(5):  # a person's command or a backfill, which ask without the schedule
        assert run(operation_db, gemini, accounts).outcomes.total() == 0
    assert standin.requests["total"] == paid
    assert all(review_of(operation_db, account) == {} for account in accounts)

    limit(assets_db, limited(accept_models=[SUCCESSOR]))
    open_again = gemini.quota(STEP)
    assert (open_again.closed, open_again.answered_by, open_again.unit) == (None, SUCCESSOR, "query")
    last = run(operation_db, gemini, accounts)
    assert last.held_because == ""
    assert sum(count for name, count in last.outcomes.items() if name.endswith(":replayed")) == paid
    assert last.outcomes.total() == ACCOUNTS
    assert standin.requests["total"] == ACCOUNTS
    assert {
        len([row for row in rows(assets_db) if row[0] == subject]) for subject, *_ in rows(assets_db)
    } == {1}
    assert gemini.quota(STEP).used == sum(row[4] for row in rows(assets_db))
    assert review_of(operation_db, accounts[0])["model_version"] == SUCCESSOR


def test_another_configured_model_goes_on_and_leaves_the_stored_replies(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, standin: GeminiStandin, accounts: list[UUID]
) -> None:
    limit(assets_db, limited())
    run(operation_db, process(assets_db, standin), accounts)
    paid = standin.requests["total"]
    lite = process(assets_db, standin, "gemini-2.5-flash-lite")
    assert lite.quota(STEP).closed is None
    assert run(operation_db, lite, accounts).outcomes.total() == ACCOUNTS
    assert standin.requests["total"] == paid + ACCOUNTS
    assert process(assets_db, standin).quota(STEP).is_replaced


def test_what_the_successor_took_counts_in_its_own_pool_at_its_own_price(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, standin: GeminiStandin, accounts: list[UUID]
) -> None:
    standin.successors[ASKED] = "gemini-3.8-flash"
    limit(assets_db, limited())
    run(operation_db, process(assets_db, standin), accounts[:1])
    [(_, state, _, billed, queries)] = rows(assets_db)
    assert (state, billed) == ("settled", "gemini-3.8-flash")
    assert process(assets_db, standin, "gemini-3.6-flash").quota(STEP).used == queries
    assert process(assets_db, standin, "gemini-2.5-flash-lite").quota(STEP).used == 0
    with assets_db.connection() as connection:
        row = connection.execute(
            "select cost_usd, prompt_tokens, output_tokens + thoughts_tokens, quota_day from gemini_usage_events"
        ).fetchone()
    assert row is not None
    price = MODELS["gemini-3.8-flash"].price_on(row[3])
    assert row[0] == round((row[1] * price.input + row[2] * price.output) / 1_000_000, 6)
