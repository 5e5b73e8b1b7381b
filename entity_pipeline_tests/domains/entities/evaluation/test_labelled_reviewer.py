from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from entity_pipeline.core.gemini.outcomes import NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.settings import Closed, Open
from entity_pipeline.domains.entities.evaluation.labelled_reviewer import (
    LabelledReviewer,
    NotHeld,
    work_through,
)
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.reviews.question import STEP, ReviewKind, review_config_hash
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.review_bodies import broken_body, grounded_body, refused_body
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import body_of, fenced
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.standins import GeminiStandin

SETTINGS = EntitySettings()

BUSY, FULL = because("no_answer"), because("time_is_up")


HANDLES = ["prada", "timberland", "garbledreply.madeup", "nobody.here"]


def accounts(*handles: str) -> list[Labelled]:
    return [Labelled(handle, AccountType.BRAND) for handle in handles]


UNUSED: Any = None  # not opened for an account without sample posts


def outcomes(reviewer: LabelledReviewer) -> dict[str, str]:
    return {answer.labelled.handle: answer.outcome for answer in reviewer.answers}


@pytest.fixture
def gemini(assets_db: ClonedDatabase) -> Iterator[tuple[GeminiResource, GeminiStandin]]:
    with GeminiStandin(latency_ms=0) as standin:
        resource = GeminiResource(
            assets_db=PostgresResource(url=assets_db.url), api_key="any", base_url=standin.url
        )
        yield resource, standin


def evaluated(operation_db: Any, gemini: Any, **options: Any) -> tuple[LabelledReviewer, str]:
    reviewer = LabelledReviewer(
        UNUSED,
        operation_db,
        gemini,
        SETTINGS,
        accounts(*HANDLES),
        run_id="e",
        **options,
    )
    gate: Any = (
        FakeSettings(Open(SETTINGS))
        if "only_stored" not in options
        else NotHeld(FakeSettings(Open(SETTINGS)))
    )
    return reviewer, work_through(reviewer, gate, 2, HANDLES)


def test_a_reply_is_paid_for_once_and_replayed_without_paying_afterwards(
    operation_db: ClonedDatabase, gemini: tuple[GeminiResource, GeminiStandin]
) -> None:
    resource, standin = gemini
    first, held = evaluated(operation_db, resource)
    assert held == ""
    assert outcomes(first) == {
        "prada": "reviewed",
        "timberland": "reviewed",
        "garbledreply.madeup": "failed:broken_json",
        "nobody.here": "reviewed:ungrounded",
    }
    paid = standin.requests["total"]
    again, _ = evaluated(operation_db, resource)
    stored = resource.ledger.stored_replies(
        STEP, ReviewKind.REVIEW, review_config_hash(resource.model), [*HANDLES, "zara"]
    )
    assert stored == set(HANDLES)
    replay, _ = evaluated(operation_db, resource, only_stored=stored)
    assert outcomes(replay) == outcomes(again) == outcomes(first)
    assert (first.replayed, replay.replayed) == (0, 4)
    assert standin.requests["total"] == paid


def test_a_replay_asks_for_nothing_that_is_not_stored(
    operation_db: ClonedDatabase, gemini: tuple[GeminiResource, GeminiStandin]
) -> None:
    resource, standin = gemini
    # Even one that is taken for stored and is not.
    reviewer, _ = evaluated(operation_db, resource, only_stored={"prada"})
    assert set(outcomes(reviewer).values()) == {"not_covered"}
    assert standin.requests["total"] == 0


def test_a_reply_under_another_prompt_or_step_does_not_count(
    operation_db: ClonedDatabase, gemini: tuple[GeminiResource, GeminiStandin]
) -> None:
    resource, _ = gemini
    evaluated(operation_db, resource)
    hashed = review_config_hash(resource.model)
    assert (
        resource.ledger.stored_replies(
            STEP, ReviewKind.REVIEW, review_config_hash("gemini-3.6-flash"), HANDLES
        )
        == set()
    )
    assert (
        resource.ledger.stored_replies(replace(STEP, name="other"), ReviewKind.REVIEW, hashed, HANDLES)
        == set()
    )
    assert resource.ledger.stored_replies(STEP, ReviewKind.REVIEW, hashed, ["zara"]) == set()


def test_an_evaluation_writes_no_row_but_the_ledgers(
    operation_db: ClonedDatabase, gemini: tuple[GeminiResource, GeminiStandin]
) -> None:
    with operation_db.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, bio) values ('@Prada', 'A fashion house')"
        )
        before = connection.execute("select xmin::text, a.* from instagram_accounts a").fetchall()
    evaluated(operation_db, gemini[0])
    with operation_db.connection() as connection:
        assert connection.execute("select xmin::text, a.* from instagram_accounts a").fetchall() == before
        counts = "select (select count(*) from brands), (select count(*) from admin_audit_log)"
        assert connection.execute(counts).fetchone() == (0, 0)


def test_the_model_is_given_what_the_accounts_row_has(operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection:
        connection.execute("insert into instagram_accounts (username, bio) values ('@Prada', 'Since 1913')")
    fake = FakeGemini({"prada": [grounded_body("prada")]})
    reviewer = LabelledReviewer(UNUSED, operation_db, fake, SETTINGS, accounts("prada"), run_id="e")
    reviewer.review("prada", SETTINGS)
    assert "Since 1913" in fake.prompts[0].text
    assert fake.asked[0].consumed_event_id is None


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([broken_body("prada"), body_of(fenced())], "reviewed"),
        ([broken_body("prada"), NotAnswered(Unanswered.OVERLOADED, BUSY)], "failed:broken_json"),
        ([refused_body()], "failed:refused"),
        ([NotAnswered(Unanswered.REFUSED, BUSY)], "failed:refused"),
        ([NotAnswered(Unanswered.OVERLOADED, BUSY)], "not_covered"),
    ],
    ids=["mended", "unmended", "safety", "refused", "overloaded"],
)
def test_every_reply_has_an_outcome(operation_db: ClonedDatabase, replies: list[Any], outcome: str) -> None:
    fake = FakeGemini({"prada": replies})
    reviewer = LabelledReviewer(UNUSED, operation_db, fake, SETTINGS, accounts("prada"), run_id="e")
    work_through(reviewer, FakeSettings(Open(SETTINGS)), 1, ["prada"])
    assert outcomes(reviewer) == {"prada": outcome}


def test_a_used_up_cap_and_a_closed_gate_end_the_evaluation_with_what_it_has(
    operation_db: ClonedDatabase,
) -> None:
    full = NotAnswered(Unanswered.CAP_REACHED, FULL)
    fake = FakeGemini({"prada": [grounded_body("prada")], "zara": [full]})
    reviewer = LabelledReviewer(
        UNUSED, operation_db, fake, SETTINGS, accounts("prada", "zara", "fila"), run_id="e"
    )
    held = work_through(reviewer, FakeSettings(Open(SETTINGS)), 1, ["prada", "zara", "fila"])
    assert held == str(FULL)
    assert Counter(outcomes(reviewer).values()) == {"reviewed": 1, "not_covered": 2}
    closed = LabelledReviewer(UNUSED, operation_db, FakeGemini(), SETTINGS, accounts("prada"), run_id="e")
    assert (
        work_through(closed, FakeSettings(Closed.because("Switched off.")), 1, ["prada"]) == "Switched off."
    )
