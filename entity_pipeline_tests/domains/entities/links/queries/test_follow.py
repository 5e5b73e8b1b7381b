"""Links that follow an account from a former handle to its present one, on a real catalog."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.catalog_rows import (
    Connection,
    apply,
    catalog_link,
    everything,
    insert,
    insert_account,
    row,
    set_columns,
    set_review,
)

OLD, NEW = "madeup.seoul", "madeup.official"


@pytest.fixture
def operation(operation_db: ClonedDatabase) -> Iterator[Connection]:
    with operation_db.connection() as connection:
        yield connection


def mark(connection: Connection, former: UUID, present: UUID) -> None:
    """The marks that a look at the present handle leaves."""
    for one, values in (
        (former, {"instagram_id": "77", "renamed_to": {"account_id": str(present), "username": NEW}}),
        (
            present,
            {"instagram_id": "77", "renamed_from": [{"account_id": str(former), "username": OLD}]},
        ),
    ):
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,profile_backfill}', %s) where id = %s",
            [Jsonb(values), one],
        )


def without_review(connection: Connection, username: str = NEW, **columns: Any) -> UUID:
    return insert(
        connection,
        "instagram_accounts",
        username=username,
        metadata=Jsonb({"entity_enrichment": {"cohort": "2026-03-01"}}),
        **columns,
    )


def renamed(connection: Connection) -> tuple[UUID, UUID, UUID]:
    """A linked account, its present row, and the brand."""
    former = insert_account(connection)
    brand = apply(connection, former).entity_id
    assert brand is not None
    present = without_review(connection)
    mark(connection, former, present)
    return former, present, brand


def decide_overtaken(connection: Connection) -> None:
    for account_id in overtaken(connection):
        apply(connection, account_id, "run-2")
    assert overtaken(connection) == []


def held(connection: Connection, account_id: UUID) -> list[str]:
    link = catalog_link(connection, account_id)
    assert link["status"] == "held"
    reasons: list[str] = link["reasons"]
    return reasons


def placed(connection: Connection, *accounts: UUID) -> list[tuple[UUID | None, str | None]]:
    found = [row(connection, "instagram_accounts", one) for one in accounts]
    return [(one["brand_id"], one["entity_ig_role"]) for one in found]


def primary_of(connection: Connection, brand: UUID) -> UUID | None:
    found: UUID | None = row(connection, "brands", brand)["primary_instagram_account_id"]
    return found


def test_a_row_without_a_review_takes_the_links_over(operation: Connection) -> None:
    former, present, brand = renamed(operation)
    assert overtaken(operation)[0] == present
    decide_overtaken(operation)
    assert placed(operation, former, present) == [(None, "primary"), (brand, "primary")]
    assert primary_of(operation, brand) == present
    assert held(operation, former) == ["renamed"]
    assert catalog_link(operation, present)["status"] == "linked"


@pytest.mark.parametrize("review", [{}, {"confidence": 0.2}, {"name_en": "Other", "name_ko": None}])
def test_a_later_review_makes_no_second_entity(operation: Connection, review: dict[str, Any]) -> None:
    _, present, brand = renamed(operation)
    decide_overtaken(operation)
    set_review(operation, present, **review)
    applied = apply(operation, present, "run-3")
    assert applied.entity_id == brand
    assert operation.execute("select count(*) from brands").fetchone() == (1,)


def test_a_secondary_account_stays_one(operation: Connection) -> None:
    primary = insert_account(operation)
    brand = apply(operation, primary).entity_id
    former = insert_account(
        operation, "madeup.sub", account_role=AccountRole.SECONDARY, primary_username="madeup.seoul"
    )
    apply(operation, former)
    present = without_review(operation)
    mark(operation, former, present)
    decide_overtaken(operation)
    assert placed(operation, former, present) == [(None, "secondary"), (brand, "secondary")]
    assert catalog_link(operation, present)["status"] == "attached"
    assert brand is not None
    assert primary_of(operation, brand) == primary


@pytest.mark.parametrize("by", ["link", "pointer", "both"])
def test_what_a_person_linked_stays_and_the_present_row_is_held(operation: Connection, by: str) -> None:
    brand = insert(operation, "brands", name_en="Theirs")
    former = without_review(operation, OLD)
    if by != "pointer":
        set_columns(operation, "instagram_accounts", former, brand_id=brand, entity_ig_role="primary")
    if by != "link":
        set_columns(operation, "brands", brand, primary_instagram_account_id=former)
    present = insert_account(operation, NEW)
    mark(operation, former, present)
    before = placed(operation, former), primary_of(operation, brand)
    decide_overtaken(operation)
    assert (placed(operation, former), primary_of(operation, brand)) == before
    assert held(operation, present) == ["former_links"]
    assert operation.execute("select count(*) from brands").fetchone() == (1,)
    set_columns(operation, "brands", brand, primary_instagram_account_id=None)
    set_columns(operation, "instagram_accounts", former, brand_id=None)
    decide_overtaken(operation)
    assert catalog_link(operation, present)["reasons"] == []


def test_a_present_row_that_is_linked_elsewhere_is_held(operation: Connection) -> None:
    former, present, brand = renamed(operation)
    other = insert(operation, "brands", name_en="Other")
    set_columns(operation, "instagram_accounts", present, brand_id=other, entity_ig_role="primary")
    decide_overtaken(operation)
    assert held(operation, present) == ["former_links"]
    assert [link for link, _ in placed(operation, former, present)] == [brand, other]


def reviewed_first(connection: Connection, **review: Any) -> tuple[UUID, UUID, UUID, UUID]:
    """As `renamed`, but the present row was reviewed and got an entity before its id was seen."""
    former = insert_account(connection)
    brand = apply(connection, former).entity_id
    present = insert_account(connection, NEW, **{"name_en": "Second Label", "name_ko": None, **review})
    second = apply(connection, present).entity_id
    assert brand is not None
    assert second is not None
    mark(connection, former, present)
    return former, present, brand, second


@pytest.mark.parametrize("review", [{}, {"account_type": AccountType.GROUP}])
def test_an_entity_of_the_present_row_gives_way_to_that_of_the_former_one(
    operation: Connection, review: dict[str, Any]
) -> None:
    former, present, brand, second = reviewed_first(operation, **review)
    assert second != brand
    assert overtaken(operation)[0] == present
    decide_overtaken(operation)
    assert placed(operation, former, present) == [(None, "primary"), (brand, "primary")]
    assert primary_of(operation, brand) == present
    assert catalog_link(operation, present)["status"] == "linked"
    found = operation.execute("select id from brands union all select id from groups").fetchall()
    assert found == [(brand,)]
    written = everything(operation)
    apply(operation, present, "run-3")
    assert everything(operation) == written


def test_undo_of_the_move_leaves_the_second_entity_out(operation: Connection) -> None:
    former, present, brand, second = reviewed_first(operation)
    decide_overtaken(operation)
    undo(operation, run_id="run-2")
    assert placed(operation, former, present) == [(brand, "primary"), (None, None)]
    assert row(operation, "brands", second) == {}


@pytest.mark.parametrize("why", ["a person changed it", "it has a follower", "the former link is a person's"])
def test_an_entity_that_is_not_ours_alone_stays_and_the_account_is_held(
    operation: Connection, why: str
) -> None:
    former, present, brand, second = reviewed_first(operation)
    if why == "a person changed it":
        set_columns(operation, "brands", second, name_ko="둘째")
    elif why == "it has a follower":
        insert(operation, "instagram_accounts", username="sub", brand_id=second, entity_ig_role="secondary")
    else:
        operation.execute("delete from admin_audit_log where target_id = %s", [former])
    before = placed(operation, former, present), primary_of(operation, brand), primary_of(operation, second)
    decide_overtaken(operation)
    assert held(operation, present) == ["former_links"]
    after = placed(operation, former, present), primary_of(operation, brand), primary_of(operation, second)
    assert after == before


def test_a_row_that_was_undone_or_is_switched_off_takes_nothing_over(operation: Connection) -> None:
    former, present, brand = renamed(operation)
    set_columns(operation, "instagram_accounts", present, is_active=False)
    decide_overtaken(operation)
    assert placed(operation, former, present) == [(brand, "primary"), (None, None)]


def test_undo_puts_moved_links_back(operation: Connection) -> None:
    former, present, brand = renamed(operation)
    before = placed(operation, former, present)
    decide_overtaken(operation)
    undo(operation, run_id="run-2")
    assert placed(operation, former, present) == before
    assert primary_of(operation, brand) == former
    assert catalog_link(operation, present)["status"] == "undone"
    decide_overtaken(operation)
    assert placed(operation, former, present) == before


def test_an_account_that_names_the_former_handle_finds_the_present_row(operation: Connection) -> None:
    _, _, brand = renamed(operation)
    decide_overtaken(operation)
    follower = insert_account(
        operation, "madeup.sub", account_role=AccountRole.SECONDARY, primary_username=OLD
    )
    assert apply(operation, follower).entity_id == brand


def test_a_refused_move_holds_the_account_and_changes_nothing(operation: Connection) -> None:
    former, present, brand = renamed(operation)
    operation.execute(
        "create function locked() returns trigger language plpgsql as $$ begin "
        "if old.brand_id is not null and new.brand_id is null then raise 'locked'; end if; return new; end $$"
    )
    operation.execute(
        "create trigger locked before update on instagram_accounts for each row execute function locked()"
    )
    apply(operation, present)
    assert held(operation, present) == ["former_links"]
    assert placed(operation, former, present) == [(brand, "primary"), (None, None)]


def test_two_runs_at_once_move_the_links_once(operation_db: ClonedDatabase, operation: Connection) -> None:
    former, present, brand = renamed(operation)
    together = Barrier(4)

    def run(nth: int) -> None:
        with operation_db.connection() as connection:
            together.wait()
            apply(connection, (present, former)[nth % 2], f"run-{nth}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    decide_overtaken(operation)
    assert placed(operation, former, present) == [(None, "primary"), (brand, "primary")]
    moved = operation.execute(
        "select target_table, count(*) from admin_audit_log where action like '%.moved' group by 1 order by 1"
    ).fetchall()
    assert moved == [("brands", 1), ("instagram_accounts", 2)]


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [None, "x", {"account_id": 7}, {"account_id": "x", "username": "y"}]]
)
def test_marks_that_a_person_spoiled_move_nothing(operation: Connection, odd: Any) -> None:
    former, present, brand = renamed(operation)
    for one, key in ((former, "renamed_to"), (present, "renamed_from")):
        operation.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, %s, %s) where id = %s",
            [["entity_enrichment", "profile_backfill", key], Jsonb(odd), one],
        )
    decide_overtaken(operation)
    apply(operation, present)
    assert placed(operation, former, present) == [(brand, "primary"), (None, None)]
