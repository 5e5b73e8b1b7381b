from typing import Any

import psycopg
import pytest

from entity_pipeline.core.audit import Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.links.logic.undo import (
    CHANGED_SINCE,
    GONE,
    OF_ANOTHER,
    REFUSED,
    STILL_LINKED,
)
from entity_pipeline.domains.entities.links.queries.catalog import LinkOutcome
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.cases import some_id
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

FOLLOWER: dict[str, Any] = {
    "account_role": AccountRole.SECONDARY,
    "primary_username": "madeup.seoul",
    "name_en": "Madeup Archive",
}
ADMIN = some_id("admin")


def columns_of(connection: Connection, table: str, row_id: Any) -> dict[str, Any]:
    found = row(connection, table, row_id)
    return {column: value for column, value in found.items() if column not in ("metadata", "updated_at")}


@pytest.mark.parametrize(
    "account_type", [AccountType.ARTIST, AccountType.BRAND, AccountType.GROUP, AccountType.OTHER]
)
def test_undoing_a_run_restores_the_state_before_it(operation: Connection, account_type: AccountType) -> None:
    account_id = insert_account(operation, account_type=account_type)
    before = columns_of(operation, "instagram_accounts", account_id)
    applied = apply(operation, account_id)
    report = undo(operation, run_id="run-1")
    assert columns_of(operation, "instagram_accounts", account_id) == before
    assert catalog_link(operation, account_id)["status"] == "undone"
    assert report.kept == []
    assert [place.table for place in report.removed] == (
        [applied.entity_table] if applied.entity_table else []
    )
    for table in ("artists", "brands", "groups"):
        assert not row(operation, table, applied.entity_id)


def test_a_linked_entity_gets_its_gaps_back(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    before = columns_of(operation, "brands", brand_id)
    apply(operation, insert_account(operation, country_of_origin="KR", image="https://img.example/a.jpg"))
    report = undo(operation, run_id="run-1")
    assert columns_of(operation, "brands", brand_id) == before
    assert report.removed == []


def test_an_undone_account_is_not_linked_again(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    undo(operation, run_id="run-1")
    before = everything(operation)
    assert apply(operation, account_id, "run-2").outcome is LinkOutcome.UNDONE
    assert everything(operation) == before


def test_a_second_undo_changes_nothing(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, insert_account(operation, "other.name", name_en="Other", name_ko=None))
    entity_id = apply(operation, account_id).entity_id
    set_columns(operation, "brands", entity_id, name_en="By a person")
    first = undo(operation, run_id="run-1")
    before = everything(operation)
    second = undo(operation, run_id="run-1")
    assert everything(operation) == before
    assert (second.restored, second.removed, second.kept) == ([], [], first.kept)


def test_what_a_person_changed_is_kept_and_listed(operation: Connection) -> None:
    account_id = insert_account(operation)
    entity_id = apply(operation, account_id).entity_id
    assert entity_id is not None
    set_columns(operation, "brands", entity_id, name_en="By a person")
    set_columns(operation, "instagram_accounts", account_id, name_ko="사람")
    report = undo(operation, run_id="run-1")
    kept = {(item.table, item.target_id, item.column, item.why) for item in report.kept}
    assert kept == {
        ("brands", entity_id, "name_en", CHANGED_SINCE),
        ("instagram_accounts", account_id, "name_ko", CHANGED_SINCE),
    }
    brand, account = row(operation, "brands", entity_id), row(operation, "instagram_accounts", account_id)
    assert (brand["name_en"], brand["name_ko"], brand["primary_instagram_account_id"]) == (
        "By a person",
        "메이드업",
        None,
    )
    assert (account["name_ko"], account["name_en"], account["brand_id"], account["account_type"]) == (
        "사람",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("column", ["metadata", "logo_image_url", "country_of_origin"])
def test_a_created_entity_stays_when_a_person_touched_any_column(operation: Connection, column: str) -> None:
    entity_id = apply(operation, insert_account(operation)).entity_id
    assert entity_id is not None
    set_columns(operation, "brands", entity_id, **{column: '{"a": 1}'})
    report = undo(operation, run_id="run-1")
    assert report.removed == []
    assert [item.column for item in report.kept] == [column]
    assert row(operation, "brands", entity_id)


def test_a_created_entity_stays_while_a_row_refers_to_it(operation: Connection) -> None:
    group_id = apply(operation, insert_account(operation, account_type=AccountType.GROUP)).entity_id
    artist_id = insert(operation, "artists", name_en="Member")
    operation.execute(
        "insert into group_members (group_id, artist_id) values (%s, %s)", [group_id, artist_id]
    )
    report = undo(operation, run_id="run-1")
    assert [item.why for item in report.kept] == ["group_members.group_id refers to it"]
    operation.execute("delete from group_members")
    assert [place.target_id for place in undo(operation, run_id="run-1").removed] == [group_id]


def test_a_whole_run_goes_with_its_followers(operation: Connection) -> None:
    primary, follower = insert_account(operation), insert_account(operation, "madeup.archive", **FOLLOWER)
    apply(operation, follower)
    entity_id = apply(operation, primary).entity_id
    assert apply(operation, follower).outcome is LinkOutcome.ATTACHED
    report = undo(operation, run_id="run-1")
    assert (report.kept, [place.target_id for place in report.removed]) == ([], [entity_id])
    account = row(operation, "instagram_accounts", follower)
    assert (account["brand_id"], account["entity_ig_role"], account["account_type"]) == (None, None, None)


def test_one_account_alone_leaves_the_entity_its_followers_need(operation: Connection) -> None:
    primary, follower = insert_account(operation), insert_account(operation, "madeup.archive", **FOLLOWER)
    entity_id = apply(operation, primary).entity_id
    apply(operation, follower)
    report = undo(operation, username="@Madeup.Seoul")
    assert [item.why for item in report.kept] == ["instagram_accounts.brand_id refers to it"]
    assert row(operation, "brands", entity_id)["primary_instagram_account_id"] is None
    assert row(operation, "instagram_accounts", follower)["brand_id"] == entity_id
    assert catalog_link(operation, follower)["status"] == "attached"


def test_only_the_named_run_is_undone_and_the_value_before_it_is_ours_again(operation: Connection) -> None:
    account_id = insert_account(operation)
    entity_id = apply(operation, account_id, "run-1").entity_id
    assert entity_id is not None
    set_review(operation, account_id, name_ko="메이드")
    apply(operation, account_id, "run-2")
    undo(operation, run_id="run-2")
    assert row(operation, "brands", entity_id)["name_ko"] == "메이드업"
    assert row(operation, "instagram_accounts", account_id)["brand_id"] == entity_id
    undo(operation, run_id="run-1")
    assert row(operation, "brands", entity_id) == {}


def test_an_older_run_keeps_what_a_newer_one_wrote(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id, "run-1")
    set_review(operation, account_id, name_ko="메이드")
    apply(operation, account_id, "run-2")
    report = undo(operation, run_id="run-1")
    assert [(item.column, item.why) for item in report.kept] == [("name_ko", "run run-2 wrote it since")]
    assert row(operation, "instagram_accounts", account_id)["name_ko"] == "메이드"
    assert catalog_link(operation, account_id)["status"] == "undone"


def test_an_undone_decision_is_not_made_again_though_people_had_changed_all_of_it(
    operation: Connection,
) -> None:
    follower = insert_account(operation, "madeup.archive", **FOLLOWER)
    brand_id = apply(operation, insert_account(operation), "run-0").entity_id
    apply(operation, follower)
    theirs = {"name_en": "P", "name_ko": "P", "account_type": "place", "entity_ig_role": "regional"}
    set_columns(operation, "instagram_accounts", follower, **theirs, entity_region_code="KR", brand_id=None)
    assert brand_id is not None
    undo(operation, run_id="run-1")
    assert catalog_link(operation, follower)["status"] == "undone"


def test_a_held_account_stays_held_with_its_reasons(operation: Connection) -> None:
    account_id = insert_account(operation, **FOLLOWER)
    apply(operation, account_id)
    before = catalog_link(operation, account_id)
    undo(operation, run_id="run-1")
    assert catalog_link(operation, account_id) == before
    assert row(operation, "instagram_accounts", account_id)["account_type"] is None


def test_a_run_may_be_named_by_the_beginning_of_its_id(operation: Connection) -> None:
    apply(operation, insert_account(operation), "01c918b3-a886-4cfe")
    apply(operation, insert_account(operation, "other.name", name_en="Other", name_ko=None), "01c9ffff-a886")
    with pytest.raises(InputRejected, match=r"^Several runs begin with '01c9': give more of the id.$"):
        undo(operation, run_id="01c9")
    assert len(undo(operation, run_id="01c918b3").removed) == 1


def test_a_role_stays_while_a_person_keeps_the_account_linked(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    theirs = insert(operation, "brands", name_en="Theirs")
    set_columns(operation, "instagram_accounts", account_id, brand_id=theirs)
    report = undo(operation, run_id="run-1")
    why = {item.column: item.why for item in report.kept if item.table == "instagram_accounts"}
    assert why == {"brand_id": CHANGED_SINCE, "entity_ig_role": STILL_LINKED}
    account = row(operation, "instagram_accounts", account_id)
    assert (account["brand_id"], account["entity_ig_role"], account["account_type"]) == (
        theirs,
        "primary",
        None,
    )


def test_an_entity_goes_with_its_run_though_its_primary_account_was_decided_last(
    operation: Connection,
) -> None:
    primary, follower = insert_account(operation), insert_account(operation, "madeup.archive", **FOLLOWER)
    entity_id = apply(operation, primary).entity_id
    apply(operation, follower)
    set_review(operation, primary, name_ko="메이드")
    apply(operation, primary)
    report = undo(operation, run_id="run-1")
    assert ([place.target_id for place in report.removed], report.kept) == ([entity_id], [])


def test_a_row_that_a_person_deleted_is_listed_until_nothing_of_it_was_ours(operation: Connection) -> None:
    brand_id, account_id = insert(operation, "brands", name_en="Madeup Seoul"), insert_account(operation)
    apply(operation, account_id)
    operation.execute("delete from brands")
    operation.execute("delete from instagram_accounts")
    for _ in range(2):
        report = undo(operation, run_id="run-1")
        assert {(item.table, item.target_id, item.column, item.why) for item in report.kept} == {
            ("brands", brand_id, None, GONE),
            ("instagram_accounts", account_id, None, GONE),
        }


@pytest.mark.parametrize("by_us", [True, False])
def test_a_created_entity_that_is_gone_is_as_before_and_not_listed(
    operation: Connection, by_us: bool
) -> None:
    entity_id = apply(operation, insert_account(operation)).entity_id
    if by_us:
        undo(operation, run_id="run-1")
    else:
        operation.execute("delete from brands where id = %s", [entity_id])
    assert [item for item in undo(operation, run_id="run-1").kept if item.table == "brands"] == []


def test_a_row_that_is_deleted_after_all_of_it_was_put_back_is_not_listed(operation: Connection) -> None:
    account_id = insert_account(operation, account_type=AccountType.OTHER)
    apply(operation, account_id)
    undo(operation, run_id="run-1")
    operation.execute("delete from instagram_accounts")
    assert undo(operation, run_id="run-1").kept == []


def test_the_value_before_our_last_write_put_there_by_a_person_stays(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    set_review(operation, account_id, name_ko="메이드")
    apply(operation, account_id)
    set_columns(operation, "instagram_accounts", account_id, name_ko="메이드업")
    report = undo(operation, run_id="run-1")
    assert row(operation, "instagram_accounts", account_id)["name_ko"] == "메이드업"
    assert [(item.table, item.column, item.why) for item in report.kept] == [
        ("instagram_accounts", "name_ko", CHANGED_SINCE)
    ]


def test_an_entity_that_a_later_run_gave_another_primary_account_stays(operation: Connection) -> None:
    entity_id = apply(operation, insert_account(operation)).entity_id
    member = insert_account(operation, "madeup.archive", **FOLLOWER)
    apply(operation, member)
    undo(operation, username="madeup.seoul")  # the entity stays for its follower, without a primary account
    second = insert_account(operation, "madeup.new")
    assert apply(operation, second, "run-2").entity_id == entity_id
    set_columns(operation, "instagram_accounts", second, brand_id=None)
    undo(operation, username="madeup.archive")
    report = undo(operation, username="madeup.seoul")
    assert [(item.target_id, item.column, item.why) for item in report.kept] == [
        (entity_id, None, OF_ANOTHER)
    ]
    assert row(operation, "brands", entity_id)["primary_instagram_account_id"] == second


def test_one_refused_value_keeps_no_other(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id)
    operation.execute(
        "alter table instagram_accounts add constraint named check (name_en is not null) not valid"
    )
    report = undo(operation, run_id="run-1")
    assert [(item.column, item.why) for item in report.kept] == [("name_en", REFUSED)]
    account = row(operation, "instagram_accounts", account_id)
    assert [account[name] for name in ("name_en", "name_ko", "brand_id", "entity_ig_role")] == [
        "Madeup Seoul",
        None,
        None,
        None,
    ]


def test_nothing_is_listed_of_a_row_that_is_removed(operation: Connection) -> None:
    account_id = insert_account(operation)
    for run_id, name in (("run-1", "하나"), ("run-1", "두"), ("run-2", "셋")):
        set_review(operation, account_id, name_ko=name)
        apply(operation, account_id, run_id)
    report = undo(operation, run_id="run-1")
    assert [place.table for place in report.removed] == ["brands"]
    assert [(item.table, item.column) for item in report.kept] == [("instagram_accounts", "name_ko")]


def test_an_undo_leaves_its_own_trail(operation: Connection) -> None:
    apply(operation, insert_account(operation))
    undo(operation, run_id="run-1", actor=Actor(ADMIN, "page", "mina"))
    rows = operation.execute(
        "select u.admin_user_id, u.target_table, u.after_state is null, w.after_state ? 'name_en'"
        " from admin_audit_log u join admin_audit_log w on w.id::text = u.metadata ->> 'undoes'"
        " where u.action = 'entity_enrichment.undo' order by u.created_at"
    ).fetchall()
    assert rows == [(ADMIN, "instagram_accounts", False, True), (ADMIN, "brands", True, True)]


def test_an_undo_stopped_half_way_ends_like_an_undisturbed_one(operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection:
        accounts = [
            insert_account(connection, f"a{number}", name_en=f"A{number}", name_ko=None)
            for number in range(4)
        ]
        for account_id in accounts:
            apply(connection, account_id)
        # The account that is undone last can't be written for now.
        connection.execute(
            f"alter table instagram_accounts add constraint stop check (id <> '{accounts[0]}') not valid"
        )
        with pytest.raises(psycopg.errors.CheckViolation):
            undo(connection, run_id="run-1")
        assert len(connection.execute("select from brands").fetchall()) == 1
        connection.execute("alter table instagram_accounts drop constraint stop")
        undo(connection, run_id="run-1")
        assert connection.execute("select from brands").fetchall() == []
        assert {catalog_link(connection, account_id)["status"] for account_id in accounts} == {"undone"}


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"run_id": "none"}, "There is nothing to undo: nothing was written automatically for run none"),
        (
            {"username": "nobody"},
            "There is nothing to undo: nothing was written automatically for account nobody",
        ),
        ({}, "Name either a run or an account"),
        ({"run_id": "a", "username": "b"}, "Name either a run or an account"),
    ],
)
def test_there_must_be_something_to_undo(operation: Connection, what: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputRejected, match=sentence):
        undo(operation, **what)
