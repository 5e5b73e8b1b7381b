from typing import Any

import pytest

from entity_pipeline.core.audit import COMMAND_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.links.logic.undo import CHANGED_SINCE, GONE, REFUSED
from entity_pipeline.domains.entities.links.queries.catalog import LinkOutcome
from entity_pipeline.domains.entities.links.redo import redo
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline.domains.entities.models import AccountType
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
from entity_pipeline_tests.domains.entities.links.test_undo import FOLLOWER

MINA = Actor(COMMAND_ACTOR, "cli", "mina")


def state(connection: Connection, *places: tuple[str, Any]) -> list[dict[str, Any]]:
    """The rows without the time of their last change."""
    return [{**row(connection, *place), "updated_at": None} for place in places]


@pytest.mark.parametrize("account_type", [AccountType.ARTIST, AccountType.BRAND, AccountType.OTHER])
def test_a_redo_restores_the_state_before_the_undo(operation: Connection, account_type: AccountType) -> None:
    account_id = insert_account(operation, account_type=account_type)
    applied = apply(operation, account_id)
    places = [("instagram_accounts", account_id)]
    if applied.entity_table:
        places.append((applied.entity_table, applied.entity_id))
    before = state(operation, *places)
    undo(operation, run_id="run-1")
    report = redo(operation, run_id="run-1", actor=MINA)
    after = state(operation, *places)
    for account in (before[0], after[0]):
        account["metadata"]["entity_enrichment"]["catalog_link"].pop("before_undo", None)
    assert after == before
    assert report.kept == []


def test_followers_and_their_entity_are_there_again(operation: Connection) -> None:
    primary, follower = insert_account(operation), insert_account(operation, "madeup.archive", **FOLLOWER)
    entity_id = apply(operation, primary).entity_id
    apply(operation, follower)
    undo(operation, run_id="run-1")
    redo(operation, run_id="run", actor=MINA)
    assert row(operation, "brands", entity_id)["primary_instagram_account_id"] == primary
    assert row(operation, "instagram_accounts", follower)["brand_id"] == entity_id
    assert [catalog_link(operation, each)["status"] for each in (primary, follower)] == [
        "created",
        "attached",
    ]


def test_what_was_redone_is_ours_again_and_can_be_undone_again(operation: Connection) -> None:
    account_id = insert_account(operation)
    entity_id = apply(operation, account_id).entity_id
    for _ in range(2):
        undo(operation, username="madeup.seoul")
        assert row(operation, "brands", entity_id) == {}
        redo(operation, username="@Madeup.Seoul", actor=MINA)
        assert row(operation, "brands", entity_id)["name_en"] == "Madeup Seoul"
    assert apply(operation, account_id, "run-2").outcome is LinkOutcome.CREATED
    assert len(everything(operation)["brands"]) == 1


def test_a_second_redo_changes_nothing(operation: Connection) -> None:
    apply(operation, insert_account(operation))
    undo(operation, run_id="run-1")
    redo(operation, run_id="run-1", actor=MINA)
    before = everything(operation)
    report = redo(operation, run_id="run-1", actor=MINA)
    assert (report.restored, report.kept) == ([], [])
    assert everything(operation) == before


def test_what_a_person_wrote_after_the_undo_is_kept_and_listed(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    account_id = insert_account(operation)
    apply(operation, account_id)
    undo(operation, run_id="run-1")
    set_columns(operation, "instagram_accounts", account_id, name_ko="사람")
    operation.execute("delete from brands where id = %s", [brand_id])
    report = redo(operation, run_id="run-1", actor=MINA)
    assert row(operation, "instagram_accounts", account_id)["name_ko"] == "사람"
    assert {(item.table, item.column, item.why) for item in report.kept} >= {
        ("instagram_accounts", "name_ko", CHANGED_SINCE),
        ("brands", None, GONE),
    }


@pytest.mark.parametrize("refusal", ["raise exception 'locked'", "perform 1 / 0"])
def test_one_value_that_a_trigger_refuses_keeps_no_other(operation: Connection, refusal: str) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    undo(operation, run_id="run-1")
    operation.execute(
        "create function refuse() returns trigger language plpgsql as "
        f"$$ begin if new.name_ko is not null then {refusal}; end if; return new; end $$"
    )
    operation.execute(
        "create trigger refuse before update on instagram_accounts for each row execute function refuse()"
    )
    report = redo(operation, run_id="run-1", actor=MINA)
    assert [(item.table, item.column, item.why) for item in report.kept] == [
        ("instagram_accounts", "name_ko", REFUSED)
    ]
    account = row(operation, "instagram_accounts", account_id)
    assert (account["name_en"], account["name_ko"], account["brand_id"] is None) == (
        "Madeup Seoul",
        None,
        False,
    )


def test_a_removed_row_that_a_trigger_refuses_is_listed(operation: Connection) -> None:
    entity_id = apply(operation, insert_account(operation)).entity_id
    undo(operation, run_id="run-1")
    operation.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$"
    )
    operation.execute("create trigger refuse before insert on brands for each row execute function refuse()")
    report = redo(operation, run_id="run-1", actor=MINA)
    kept = [(item.table, item.column, item.why) for item in report.kept]
    assert ("brands", None, REFUSED) in kept
    assert row(operation, "brands", entity_id) == {}


def test_the_log_says_who_undid_and_who_redid(operation: Connection) -> None:
    apply(operation, insert_account(operation))
    undo(operation, run_id="run-1", actor=Actor(COMMAND_ACTOR, "cli", "jun"))
    redo(operation, run_id="run-1", actor=MINA)
    rows = operation.execute(
        "select distinct action, metadata ->> 'who' from admin_audit_log where admin_user_id = %s order by 1",
        [COMMAND_ACTOR],
    ).fetchall()
    assert rows == [("entity_enrichment.redo", "cli:mina"), ("entity_enrichment.undo", "cli:jun")]


def test_there_must_be_something_to_redo(operation: Connection) -> None:
    apply(operation, insert_account(operation))
    with pytest.raises(InputRejected, match=r"^There is nothing to redo: nothing of run run-1 was undone."):
        redo(operation, run_id="run-1", actor=MINA)
