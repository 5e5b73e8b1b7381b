from typing import Any

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.core.audit import PAGE_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.accounts.asked import ask_decision_again, ask_review_again
from entity_pipeline.domains.entities.links.queries.catalog import LinkOutcome
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline.domains.entities.settings import EntitySettings, Thresholds
from entity_pipeline_tests.domains.entities.catalog_rows import (
    Connection,
    apply,
    catalog_link,
    everything,
    insert,
    insert_account,
    row,
    set_columns,
)

MINA = Actor(PAGE_ACTOR, "page", "mina")
STRICT = EntitySettings(thresholds=Thresholds(brand=0.99))


def failed(connection: Connection) -> Any:
    review = {"status": "failed", "attempts": 3, "error": {"reason": "refused"}, "usage_event_id": "e1"}
    metadata = {"entity_enrichment": {"cohort": "2026-03-01", "gemini_review": review}}
    return insert(connection, "instagram_accounts", username="Failed.One", metadata=Jsonb(metadata))


def log(connection: Connection) -> list[Any]:
    return connection.execute(
        "select action, metadata ->> 'who', before_state, after_state from admin_audit_log "
        "where admin_user_id = %s order by created_at",
        [PAGE_ACTOR],
    ).fetchall()


def test_a_failed_review_waits_again_with_all_its_attempts_and_its_paid_reply(operation: Connection) -> None:
    account_id = failed(operation)
    ask_review_again(operation, "@failed.one", MINA)
    review = row(operation, "instagram_accounts", account_id)["metadata"]["entity_enrichment"][
        "gemini_review"
    ]
    assert (review["status"], review["attempts"], review["usage_event_id"]) == ("pending", 0, "e1")
    assert log(operation) == [("entity_enrichment.review_asked_again", "page:mina", {}, {})]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("madeup.seoul", "has not failed"), ("nobody", "There is no account nobody.")],
)
def test_only_a_failed_review_is_asked_again(operation: Connection, name: str, sentence: str) -> None:
    insert_account(operation)
    before = everything(operation)
    with pytest.raises(InputRejected, match=sentence):
        ask_review_again(operation, name, MINA)
    assert everything(operation) == before


def test_a_held_account_is_decided_again(operation: Connection) -> None:
    account_id = insert_account(operation)
    assert apply(operation, account_id, settings=STRICT).outcome is LinkOutcome.HELD
    ask_decision_again(operation, "madeup.seoul", MINA)
    assert catalog_link(operation, account_id)["reviewed_at"] is None
    assert apply(operation, account_id, "run-2").outcome is LinkOutcome.CREATED


def test_an_undone_account_is_decided_again_only_when_a_person_asks(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    undo(operation, run_id="run-1")
    assert apply(operation, account_id, "run-2").outcome is LinkOutcome.UNDONE
    ask_decision_again(operation, "madeup.seoul", MINA)
    assert apply(operation, account_id, "run-3").outcome is LinkOutcome.CREATED


def test_a_linked_account_is_left_alone(operation: Connection) -> None:
    apply(operation, insert_account(operation))
    with pytest.raises(InputRejected, match="is linked already"):
        ask_decision_again(operation, "madeup.seoul", MINA)


@pytest.mark.parametrize("former", [None, "artist"])
def test_a_type_of_another_time_gives_way_to_the_reviews(operation: Connection, former: str | None) -> None:
    account_id = insert_account(operation)
    if former is not None:  # we had written a type before
        apply(operation, account_id)
        undo(operation, run_id="run-1")
        ask_decision_again(operation, "madeup.seoul", MINA)
    set_columns(operation, "instagram_accounts", account_id, account_type="designer")
    held = apply(operation, account_id, "run-2")
    assert [reason.value for reason in held.reasons] == ["account_type_differs"]
    ask_decision_again(operation, "madeup.seoul", MINA, replace_type=True)
    assert apply(operation, account_id, "run-3").outcome is LinkOutcome.CREATED
    assert row(operation, "instagram_accounts", account_id)["account_type"] == "brand"
    assert (
        "entity_enrichment.type_given_up",
        "page:mina",
        {"account_type": "designer"},
        {"account_type": None},
    ) in log(operation)


def test_a_type_that_does_not_stand_in_the_way_stays(operation: Connection) -> None:
    account_id = insert_account(operation, columns={"account_type": "brand"})
    apply(operation, account_id, settings=STRICT)
    with pytest.raises(InputRejected, match="is not held because its type differs"):
        ask_decision_again(operation, "madeup.seoul", MINA, replace_type=True)
    assert row(operation, "instagram_accounts", account_id)["account_type"] == "brand"
