import json
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier, Event
from time import sleep
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.core.audit import SYSTEM_ACTOR
from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.domains.entities.links.logic.decide import RULES_VERSION, decide
from entity_pipeline.domains.entities.links.logic.decisions import Hold
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog import (
    LinkOutcome,
    LinkRun,
    apply_decision,
    load_account,
)
from entity_pipeline.domains.entities.links.queries.catalog_rows import ask_candidates, ask_waiting_for
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.links.queries.vocabulary import load_vocabulary
from entity_pipeline.domains.entities.models import AccountRole, AccountType, EntityField, EntityTable
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.database.round_trip import RoundTrip
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.cases import a_review
from entity_pipeline_tests.domains.entities.catalog_rows import (
    NOW,
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
    "account_role": AccountRole.REGIONAL,
    "entity_region_code": "JP",
    "primary_username": "madeup.seoul",
}


def count(connection: Connection, table: str) -> int:
    found = connection.execute(f"select count(*) from {table}").fetchone()
    assert found is not None
    return int(found[0])


def waiting_for(connection: Connection, handle: str) -> list[UUID]:
    trip = RoundTrip(connection)
    asked = ask_waiting_for(trip, handle)
    trip.go()
    return list(asked.value)


# --- creating and linking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account_type", "table", "link", "image"),
    [
        (AccountType.ARTIST, "artists", "artist_id", "profile_image_url"),
        (AccountType.BRAND, "brands", "brand_id", "logo_image_url"),
        (AccountType.GROUP, "groups", "group_id", "profile_image_url"),
    ],
)
def test_a_primary_account_gets_its_entity(
    operation: Connection, account_type: AccountType, table: str, link: str, image: str
) -> None:
    url = "https://img.example/a.jpg"
    account_id = insert_account(operation, account_type=account_type, country_of_origin="KR", image=url)
    applied = apply(operation, account_id)
    assert applied.outcome is LinkOutcome.CREATED
    assert applied.entity_id is not None
    entity = row(operation, table, applied.entity_id)
    assert (entity["name_en"], entity["name_ko"], entity[image]) == ("Madeup Seoul", "메이드업", url)
    assert entity["primary_instagram_account_id"] == account_id
    assert entity.get("country_of_origin", "KR") == "KR"
    account = row(operation, "instagram_accounts", account_id)
    assert (account[link], account["account_type"], account["entity_ig_role"]) == (
        entity["id"],
        account_type,
        "primary",
    )
    assert (account["name_en"], account["name_ko"]) == ("Madeup Seoul", "메이드업")
    assert catalog_link(operation, account_id) == {
        "status": "created",
        "entity_table": table,
        "entity_id": str(entity["id"]),
        "reasons": [],
        "rules_version": RULES_VERSION,
        "reviewed_at": "2026-03-01T11:00:00+00:00",
        "picture": None,
        "run_id": "run-1",
        "linked_at": NOW.isoformat(),
    }
    assert count(operation, "group_members") == 0


def test_an_unknown_country_becomes_na_in_the_table_only(operation: Connection) -> None:
    applied = apply(operation, insert_account(operation, country_of_origin=None))
    assert applied.entity_id is not None
    assert row(operation, "brands", applied.entity_id)["country_of_origin"] == "NA"


def test_an_entity_without_an_account_is_linked_and_only_its_gaps_are_filled(operation: Connection) -> None:
    brand_id = insert(
        operation, "brands", name_en="MADEUP Seoul®", logo_image_url="https://people.example/logo.png"
    )
    account_id = insert_account(operation, country_of_origin="KR", image="https://img.example/a.jpg")
    applied = apply(operation, account_id)
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.LINKED, brand_id)
    brand = row(operation, "brands", brand_id)
    assert (brand["name_en"], brand["name_ko"]) == ("MADEUP Seoul®", "메이드업")
    assert (brand["logo_image_url"], brand["country_of_origin"]) == ("https://people.example/logo.png", "KR")
    assert brand["primary_instagram_account_id"] == account_id
    assert count(operation, "brands") == 1


def test_a_persons_country_stays(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul", country_of_origin="JP")
    apply(operation, insert_account(operation, country_of_origin="KR"))
    assert row(operation, "brands", brand_id)["country_of_origin"] == "JP"


@pytest.mark.parametrize("stored", ["ДОМ Моды", "Ｍａｄｅｕｐ", "Ménage à Trois", "ꓡISU ⴀ", "ǅungla"])
def test_a_candidate_is_found_in_any_alphabet(operation: Connection, stored: str) -> None:
    brand_id = insert(operation, "brands", name_en=stored)
    applied = apply(operation, insert_account(operation, name_en=stored.lower(), name_ko=None))
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.LINKED, brand_id)


def test_two_entities_of_one_name_hold_and_write_nothing_on_columns(operation: Connection) -> None:
    for name in ("Madeup Seoul", "MADEUP SEOUL"):
        insert(operation, "brands", name_en=name)
    account_id = insert_account(operation)
    assert apply(operation, account_id).reasons == ("several_matches",)
    account = row(operation, "instagram_accounts", account_id)
    assert (account["account_type"], account["entity_ig_role"], account["name_en"]) == (None, None, None)
    assert catalog_link(operation, account_id)["reasons"] == ["several_matches"]
    assert count(operation, "admin_audit_log") == 0


def test_an_entity_whose_primary_is_known_only_by_role_has_a_primary(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    insert(operation, "instagram_accounts", username="other", brand_id=brand_id, entity_ig_role="primary")
    assert apply(operation, insert_account(operation)).reasons == ("entity_has_other_primary",)


def test_another_spelling_of_the_handle_holds(operation: Connection) -> None:
    insert(operation, "instagram_accounts", username="@Madeup.Seoul")
    assert apply(operation, insert_account(operation)).reasons == ("duplicate_username",)


def test_other_is_excluded_and_classified(operation: Connection) -> None:
    account_id = insert_account(operation, account_type=AccountType.OTHER)
    applied = apply(operation, account_id)
    assert (applied.outcome, applied.reasons) == (LinkOutcome.EXCLUDED, ())
    account = row(operation, "instagram_accounts", account_id)
    assert (account["account_type"], account["entity_ig_role"]) == ("other", "primary")
    assert [count(operation, table) for table in ("artists", "brands", "groups")] == [0, 0, 0]


def test_a_brand_of_another_field_becomes_other_and_the_audit_says_so(operation: Connection) -> None:
    account_id = insert_account(operation, field=EntityField.BEAUTY)
    assert apply(operation, account_id).outcome is LinkOutcome.EXCLUDED
    assert row(operation, "instagram_accounts", account_id)["account_type"] == "other"
    (metadata,) = operation.execute("select metadata from admin_audit_log").fetchone() or ()
    assert metadata["overruled"] == "brand of the field beauty"


def test_an_account_without_a_review_is_left_alone(operation: Connection) -> None:
    account_id = insert(operation, "instagram_accounts", username="fresh")
    before = everything(operation)
    assert apply(operation, account_id).reasons == ("not_reviewed",)
    assert everything(operation) == before


def test_a_review_that_cannot_be_read_is_held(operation: Connection) -> None:
    account_id = insert_account(operation, confidence="high")
    assert apply(operation, account_id).outcome is LinkOutcome.HELD
    assert catalog_link(operation, account_id)["reasons"] == ["not_reviewed"]


def test_an_account_that_is_gone_is_reported(operation: Connection) -> None:
    assert apply(operation, SYSTEM_ACTOR).outcome is LinkOutcome.MISSING


# --- secondary and regional accounts ------------------------------------------------------------------------


def test_a_follower_waits_is_found_and_joins_when_its_primary_arrives(operation: Connection) -> None:
    follower = insert_account(operation, "madeup.japan", name_en="Madeup Japan", **FOLLOWER)
    assert apply(operation, follower).reasons == ("primary_not_linked",)
    waiting = row(operation, "instagram_accounts", follower)
    assert (waiting["account_type"], waiting["entity_ig_role"]) == ("brand", "regional")
    assert (waiting["entity_region_code"], waiting["brand_id"]) == ("JP", None)
    assert waiting_for(operation, "madeup.seoul") == [follower]
    primary = apply(operation, insert_account(operation))
    applied = apply(operation, follower, "run-2")
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.ATTACHED, primary.entity_id)
    assert row(operation, "instagram_accounts", follower)["brand_id"] == primary.entity_id
    assert waiting_for(operation, "madeup.seoul") == []
    assert count(operation, "brands") == 1


@pytest.mark.parametrize("by_role", [True, False])
def test_a_follower_is_found_when_a_person_links_its_primary(operation: Connection, by_role: bool) -> None:
    follower = insert_account(operation, "madeup.japan", **FOLLOWER)
    apply(operation, follower)
    account_id = insert(operation, "instagram_accounts", username="@Madeup.Seoul")
    assert overtaken(operation) == []
    brand_id = insert(
        operation,
        "brands",
        name_en="Madeup Seoul",
        primary_instagram_account_id=None if by_role else account_id,
    )
    if by_role:
        set_columns(operation, "instagram_accounts", account_id, brand_id=brand_id, entity_ig_role="primary")
    assert overtaken(operation) == [follower]
    assert apply(operation, follower).outcome is LinkOutcome.ATTACHED
    assert overtaken(operation) == []


WITHOUT_PRIMARY: dict[str, Any] = {**FOLLOWER, "primary_username": None}


@pytest.mark.parametrize("order", list(permutations(("madeup.seoul", "madeup.japan"))), ids=" ".join)
def test_a_regional_account_that_names_no_primary_joins_its_brand_in_either_order(
    operation: Connection, order: tuple[str, ...]
) -> None:
    roles: dict[str, dict[str, Any]] = {"madeup.seoul": {}, "madeup.japan": WITHOUT_PRIMARY}
    accounts = {name: insert_account(operation, name, **roles[name]) for name in order}
    for name in order:
        apply(operation, accounts[name])
    for account_id in overtaken(operation):
        apply(operation, account_id)
    assert overtaken(operation) == []
    assert count(operation, "brands") == 1
    brands = {row(operation, "instagram_accounts", one)["brand_id"] for one in accounts.values()}
    assert (len(brands), None in brands) == (1, False)


@pytest.mark.parametrize(
    ("brand", "reason"),
    [
        ({"name_en": "Madeup Seoul", "name_ko": "다른이름"}, "name_conflict"),
        ({"name_en": "메이드업"}, None),
        ({"name_en": "Elsewhere"}, "primary_unknown"),
        ({"name_en": "!"}, "primary_unknown"),
    ],
)
def test_a_brand_that_a_person_adds_is_found_once(
    operation: Connection, brand: dict[str, Any], reason: str | None
) -> None:
    follower = insert_account(operation, "madeup.japan", **WITHOUT_PRIMARY)
    assert apply(operation, follower).reasons == ("primary_unknown",)
    assert overtaken(operation) == []
    insert(operation, "brands", **brand)
    found = overtaken(operation)
    assert found == ([] if reason == "primary_unknown" else [follower])
    for account_id in found:
        assert apply(operation, account_id).reasons == ((reason,) if reason else ())
    assert overtaken(operation) == []


def test_a_primary_that_a_person_linked_by_role_counts_as_linked(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    insert(
        operation, "instagram_accounts", username="@Madeup.Seoul", brand_id=brand_id, entity_ig_role="primary"
    )
    applied = apply(operation, insert_account(operation, "madeup.japan", **FOLLOWER))
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.ATTACHED, brand_id)


def test_an_account_follows_a_secondary_account_into_its_entity(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    insert(
        operation,
        "instagram_accounts",
        username="madeup.seoul",
        brand_id=brand_id,
        entity_ig_role="secondary",
    )
    applied = apply(operation, insert_account(operation, "madeup.japan", **FOLLOWER))
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.ATTACHED, brand_id)


@pytest.mark.parametrize(
    "order", list(permutations(("adix", "adixoriginals", "adixoriginals_kr"))), ids=" ".join
)
def test_a_chain_of_accounts_ends_at_one_entity_in_every_order(
    operation: Connection, order: tuple[str, ...]
) -> None:
    names = {"name_en": "Adix", "name_ko": None}
    reviews: dict[str, dict[str, Any]] = {
        "adix": names,
        "adixoriginals": {**names, "account_role": AccountRole.SECONDARY, "primary_username": "adix"},
        "adixoriginals_kr": {
            **names,
            "account_role": AccountRole.REGIONAL,
            "entity_region_code": "KR",
            "primary_username": "adixoriginals",
        },
    }
    ids: dict[str, UUID] = {}
    for username in order:
        ids[username] = insert_account(operation, username, **reviews[username])
        waiting = [ids[username]]
        while waiting:
            waiting.extend(apply(operation, waiting.pop(0)).followers)
    entities = {
        username: row(operation, "instagram_accounts", one)["brand_id"] for username, one in ids.items()
    }
    assert len(set(entities.values())) == count(operation, "brands") == 1
    assert None not in entities.values()
    assert overtaken(operation) == []


# --- doing it again, and people -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "review",
    [{}, {"account_type": AccountType.OTHER}, FOLLOWER, {"confidence": 0.2}, {"country_of_origin": "NA"}],
)
def test_a_second_run_writes_nothing(operation: Connection, review: dict[str, Any]) -> None:
    account_id = insert_account(operation, "madeup.account", **review)
    first = apply(operation, account_id, "run-1")
    before = everything(operation)
    second = apply(operation, account_id, "run-2")
    assert everything(operation) == before
    assert (second.outcome, second.reasons, second.written) == (first.outcome, first.reasons, ())


def test_a_newer_review_with_the_same_result_is_noted_and_nothing_else(operation: Connection) -> None:
    account_id = insert_account(operation)
    apply(operation, account_id, "run-1")
    set_review(operation, account_id, reviewed_at="2026-04-01T00:00:00+00:00")
    applied = apply(operation, account_id, "run-2")
    assert applied.written == ("instagram_accounts.metadata",)
    link = catalog_link(operation, account_id)
    assert (link["status"], link["reviewed_at"], link["run_id"]) == (
        "created",
        "2026-04-01T00:00:00+00:00",
        "run-2",
    )
    assert count(operation, "admin_audit_log") == 2


def test_a_newer_review_replaces_what_is_ours_and_nothing_of_a_persons(operation: Connection) -> None:
    account_id = insert_account(operation)
    entity_id = apply(operation, account_id).entity_id
    assert entity_id is not None
    set_columns(operation, "brands", entity_id, name_en="People's Name")
    set_columns(operation, "instagram_accounts", account_id, name_ko=None)
    set_review(operation, account_id, name_en="Madeup", name_ko="메이드", country_of_origin="KR")
    assert apply(operation, account_id, "run-2").outcome is LinkOutcome.CREATED
    brand, account = row(operation, "brands", entity_id), row(operation, "instagram_accounts", account_id)
    assert (brand["name_en"], brand["name_ko"], brand["country_of_origin"]) == (
        "People's Name",
        "메이드",
        "KR",
    )
    assert (account["name_en"], account["name_ko"]) == ("Madeup", None)


def test_a_link_that_a_person_removed_stays_removed(operation: Connection) -> None:
    account_id = insert_account(operation)
    entity_id = apply(operation, account_id).entity_id
    set_columns(operation, "instagram_accounts", account_id, brand_id=None)
    assert apply(operation, account_id, "run-2").reasons == ("unlinked_by_person",)
    operation.execute("delete from brands where id = %s", [entity_id])
    assert apply(operation, account_id, "run-3").reasons == ("unlinked_by_person",)
    assert count(operation, "brands") == 0


def test_a_persons_type_is_not_overwritten(operation: Connection) -> None:
    account_id = insert_account(operation, columns={"account_type": "artist"})
    assert apply(operation, account_id).reasons == ("account_type_differs",)
    assert row(operation, "instagram_accounts", account_id)["account_type"] == "artist"


def test_an_account_that_was_undone_is_not_linked_again(operation: Connection) -> None:
    account_id = insert_account(operation)
    operation.execute(
        "update instagram_accounts"
        " set metadata = jsonb_set(metadata, '{entity_enrichment,catalog_link}', %s)",
        [json.dumps({"status": "undone"})],
    )
    before = everything(operation)
    assert apply(operation, account_id).outcome is LinkOutcome.UNDONE
    assert everything(operation) == before


# --- the trail ----------------------------------------------------------------------------------------------


def test_every_written_row_has_its_audit_row(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="Madeup Seoul")
    account_id = insert_account(operation, columns={"name_en": "Madeup Seoul"})
    apply(operation, account_id, "run-7")
    rows = operation.execute(
        "select admin_user_id, target_table, target_id, before_state, after_state, metadata"
        " from admin_audit_log order by created_at"
    ).fetchall()
    metadata = {
        "pipeline": "entity_enrichment",
        "run_id": "run-7",
        "rules_version": RULES_VERSION,
        "account": "madeup.seoul",
        "account_id": str(account_id),
    }
    of_brand = {"name_ko": "메이드업", "primary_instagram_account_id": str(account_id)}
    of_account = {
        "account_type": "brand",
        "entity_ig_role": "primary",
        "name_ko": "메이드업",
        "brand_id": str(brand_id),
    }
    assert rows == [
        (SYSTEM_ACTOR, "brands", brand_id, dict.fromkeys(of_brand), of_brand, metadata),
        (SYSTEM_ACTOR, "instagram_accounts", account_id, dict.fromkeys(of_account), of_account, metadata),
    ]


def test_if_the_audit_row_cannot_be_written_nothing_is(operation: Connection) -> None:
    account_id = insert_account(operation)
    operation.execute("alter table admin_audit_log add constraint none check (action = 'nothing')")
    assert apply(operation, account_id).reasons == ("write_refused",)
    assert count(operation, "brands") == 0
    assert row(operation, "instagram_accounts", account_id)["brand_id"] is None


def test_nothing_else_in_metadata_is_lost(operation: Connection) -> None:
    account_id = insert_account(operation)
    before = row(operation, "instagram_accounts", account_id)["metadata"]
    apply(operation, account_id)
    after = row(operation, "instagram_accounts", account_id)["metadata"]
    del after["entity_enrichment"]["catalog_link"]
    assert after == before


# --- constraints and older installations --------------------------------------------------------------------


def test_a_unique_violation_becomes_a_hold(operation: Connection) -> None:
    operation.execute("create unique index one_name on brands (lower(name_ko))")
    insert(operation, "brands", name_en="Unlike", name_ko="other")
    operation.execute("create unique index one_country on brands (country_of_origin)")
    account_id = insert_account(operation)
    assert apply(operation, account_id).reasons == ("account_has_other_entity",)
    assert row(operation, "instagram_accounts", account_id)["account_type"] is None


def test_a_refusal_of_the_database_becomes_a_hold(operation: Connection) -> None:
    operation.execute("alter table brands add constraint no_seoul check (name_en not like '%Seoul%')")
    account_id = insert_account(operation)
    assert apply(operation, account_id).reasons == ("write_refused",)
    assert catalog_link(operation, account_id)["status"] == "held"


@pytest.fixture
def older(operation: Connection) -> Connection:
    """An installation whose classification columns are enums from before `group` and `regional`."""
    operation.execute("create type old_type as enum ('artist', 'brand', 'company')")
    operation.execute("create type old_role as enum ('primary', 'secondary')")
    operation.execute("drop index instagram_accounts_primary_of_artist, instagram_accounts_primary_of_brand")
    operation.execute("alter table instagram_accounts drop column account_type, drop column entity_ig_role")
    operation.execute("alter table instagram_accounts add account_type old_type, add entity_ig_role old_role")
    operation.execute(
        "alter table instagram_accounts add constraint linked_has_role check"
        " ((brand_id is null and artist_id is null and group_id is null) or entity_ig_role is not null)"
    )
    return operation


def test_the_vocabulary_is_read_from_an_enum_or_a_check(operation: Connection) -> None:
    vocabulary = load_vocabulary(operation)
    assert set(vocabulary["entity_ig_role"] or ()) == {"primary", "secondary", "regional", "unknown"}
    assert "designer" in (vocabulary["account_type"] or ())
    operation.execute("alter table instagram_accounts drop constraint entity_pipeline_account_type")
    assert load_vocabulary(operation)["account_type"] is None


def test_unknown_is_stored_where_nothing_is_known_and_replaces_nothing(operation: Connection) -> None:
    unknown = {"account_type": AccountType.UNKNOWN, "account_role": AccountRole.UNKNOWN}
    empty = insert_account(operation, **unknown)
    theirs = insert_account(operation, "theirs.one", columns={"account_type": "designer"}, **unknown)
    linked = insert_account(operation, "linked.one", name_en="Linked", name_ko=None)
    apply(operation, linked)
    set_review(operation, linked, **unknown)
    for account_id in (empty, theirs, linked):
        assert apply(operation, account_id, "run-2").reasons == (HoldReason.TYPE_UNKNOWN,)
    found = [row(operation, "instagram_accounts", account_id) for account_id in (empty, theirs, linked)]
    assert [(one["account_type"], one["entity_ig_role"]) for one in found] == [
        ("unknown", "unknown"),
        ("designer", "unknown"),
        ("brand", "primary"),
    ]


def test_an_older_enum_without_unknown_leaves_the_columns_empty(older: Connection) -> None:
    account_id = insert_account(older, account_type=AccountType.UNKNOWN, account_role=AccountRole.UNKNOWN)
    assert apply(older, account_id).reasons == (HoldReason.TYPE_UNKNOWN,)
    assert row(older, "instagram_accounts", account_id)["account_type"] is None


def test_an_enum_takes_the_words_it_has(older: Connection) -> None:
    account_id = insert_account(older)
    assert apply(older, account_id).outcome is LinkOutcome.CREATED
    account = row(older, "instagram_accounts", account_id)
    assert (account["account_type"], account["entity_ig_role"]) == ("brand", "primary")
    before = everything(older)
    apply(older, account_id, "run-2")
    assert everything(older) == before


def test_a_type_the_enum_lacks_stays_empty_and_is_noted(older: Connection) -> None:
    account_id = insert_account(older, account_type=AccountType.GROUP)
    applied = apply(older, account_id)
    assert (applied.outcome, applied.reasons) == (LinkOutcome.CREATED, ("value_not_in_enum",))
    account = row(older, "instagram_accounts", account_id)
    assert (account["account_type"], account["group_id"]) == (None, applied.entity_id)


def test_a_role_the_enum_lacks_holds_because_a_link_needs_one(older: Connection) -> None:
    apply(older, insert_account(older))
    account_id = insert_account(older, "madeup.japan", **FOLLOWER)
    assert apply(older, account_id).reasons == ("value_not_in_enum",)
    assert row(older, "instagram_accounts", account_id)["brand_id"] is None


# --- many at once -------------------------------------------------------------------------------------------


def test_many_accounts_of_one_new_brand_create_it_once(operation_db: ClonedDatabase) -> None:
    names = [("Madeup", "메이드업"), ("Madeup", None), ("MADEUP!", "메이드 업"), ("메이드업", "Madeup")] * 3
    with operation_db.connection() as connection:
        accounts = [
            insert_account(connection, f"madeup{number}", name_en=en, name_ko=ko)
            for number, (en, ko) in enumerate(names)
        ]
    barrier = Barrier(len(accounts))

    def one(account_id: Any) -> LinkOutcome:
        with operation_db.connection() as connection:
            barrier.wait(10)
            return apply(connection, account_id).outcome

    with ThreadPoolExecutor(len(accounts)) as pool:
        outcomes = sorted(pool.map(one, accounts))
    with operation_db.connection() as connection:
        assert count(connection, "brands") == 1
    assert outcomes == [LinkOutcome.CREATED] + [LinkOutcome.HELD] * (len(accounts) - 1)


def test_accounts_that_match_one_entity_by_different_names_link_it_once(operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection:
        brand_id = insert(connection, "brands", name_en="Alpha", name_ko="베타")
        accounts = [
            insert_account(connection, "alpha", name_en="Alpha", name_ko=None),
            insert_account(connection, "beta", name_en=None, name_ko="베타"),
        ]
    barrier = Barrier(2)

    def one(account_id: Any) -> LinkOutcome:
        with operation_db.connection() as connection:
            barrier.wait(10)
            return apply(connection, account_id).outcome

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, accounts)) == [LinkOutcome.HELD, LinkOutcome.LINKED]
    with operation_db.connection() as connection:
        assert row(connection, "brands", brand_id)["primary_instagram_account_id"] in accounts


def test_a_run_that_looks_at_the_same_time_waits_instead_of_creating_a_twin(
    operation_db: ClonedDatabase,
) -> None:
    settings, barrier = EntitySettings(), Barrier(2)
    with operation_db.connection() as connection:
        accounts = [insert_account(connection, "one"), insert_account(connection, "two", name_ko=None)]

    def decide_slowly(*seen: Any) -> Any:
        sleep(0.2)
        return decide(seen[0], seen[1], seen[2], settings)

    def one(account_id: Any) -> LinkOutcome:
        with operation_db.connection() as connection:
            barrier.wait(10)
            return apply_decision(connection, account_id, LinkRun(decide_slowly, "run-1", NOW)).outcome

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, accounts)) == [LinkOutcome.CREATED, LinkOutcome.HELD]


def test_a_primary_that_arrives_while_its_follower_is_decided_finds_it_waiting(
    operation_db: ClonedDatabase,
) -> None:
    settings, deciding = EntitySettings(), Event()

    def decide_slowly(*seen: Any) -> Any:
        decision = decide(seen[0], seen[1], seen[2], settings)
        deciding.set()
        sleep(0.3)
        return decision

    def follow(account_id: Any) -> Any:
        with operation_db.connection() as connection:
            return apply_decision(connection, account_id, LinkRun(decide_slowly, "run-1", NOW)).reasons

    with operation_db.connection() as connection, ThreadPoolExecutor(1) as pool:
        follower = insert_account(
            connection, "madeup.japan", name_en="Madeup Japan", name_ko=None, **FOLLOWER
        )
        primary = insert_account(connection)
        following = pool.submit(follow, follower)
        assert deciding.wait(10)
        assert apply(connection, primary).outcome is LinkOutcome.CREATED
        assert waiting_for(connection, "madeup.seoul") == [follower]
        assert following.result(10) == ("primary_not_linked",)


def test_a_persons_edit_of_the_account_during_the_decision_comes_last(operation_db: ClonedDatabase) -> None:
    settings = EntitySettings()

    def edit(account_id: Any) -> None:
        with operation_db.connection() as person:
            set_columns(person, "instagram_accounts", account_id, name_en="By a person")

    with operation_db.connection() as connection, ThreadPoolExecutor(1) as pool:
        account_id = insert_account(connection)
        edits: list[Any] = []

        def decide_while_a_person_works(*seen: Any) -> Any:
            edits.append(pool.submit(edit, account_id))
            sleep(0.3)
            return decide(seen[0], seen[1], seen[2], settings)

        apply_decision(connection, account_id, LinkRun(decide_while_a_person_works, "run-1", NOW))
        for edited in edits:
            edited.result(10)
        assert row(connection, "instagram_accounts", account_id)["name_en"] == "By a person"


def test_a_review_renewed_since_the_account_was_seen_is_the_one_that_counts(operation: Connection) -> None:
    brand = insert(operation, "brands", name_en="Renewed Name")
    account_id = insert_account(operation, name_en="First Name", name_ko=None)
    seen = load_account(operation, account_id)
    set_review(operation, account_id, name_en="Renewed Name", name_ko=None)
    settings = EntitySettings()
    run = LinkRun(lambda *around: decide(*around, settings), "run-1", NOW)
    applied = apply_decision(operation, account_id, run, seen=seen)
    assert (applied.outcome, applied.entity_id) == (LinkOutcome.LINKED, brand)
    assert count(operation, "brands") == 1


def test_the_decision_names_the_accounts_that_waited_for_it(operation: Connection) -> None:
    follower = insert_account(operation, "madeup.japan", name_en="Madeup Japan", name_ko=None, **FOLLOWER)
    assert apply(operation, follower).followers == ()
    assert apply(operation, insert_account(operation)).followers == (follower,)


def test_a_follower_never_misses_its_primary(operation_db: ClonedDatabase) -> None:
    for number in range(8):
        with operation_db.connection() as connection:
            main, name = f"main{number}", f"Brand {number}"
            primary = insert_account(connection, main, name_en=name, name_ko=None)
            follower = insert_account(
                connection,
                f"follower{number}",
                name_en=name,
                name_ko=None,
                **(FOLLOWER | {"primary_username": main}),
            )
        barrier = Barrier(2)

        def one(account_id: Any, barrier: Barrier = barrier, main: str = main) -> list[Any]:
            with operation_db.connection() as connection:
                barrier.wait(10)
                apply(connection, account_id)
                return waiting_for(connection, main)

        with ThreadPoolExecutor(2) as pool:
            found, _ = pool.map(one, [primary, follower])
        with operation_db.connection() as connection:
            attached = row(connection, "instagram_accounts", follower)["brand_id"] is not None
        assert attached or found == [follower]


def test_a_persons_edit_between_reading_and_writing_is_kept(operation_db: ClonedDatabase) -> None:
    settings = EntitySettings()
    with operation_db.connection() as connection, operation_db.connection() as person:
        brand_id = insert(connection, "brands", name_en="Madeup Seoul")
        account_id = insert_account(connection, country_of_origin="KR")
        edits = [{"name_ko": "사람", "country_of_origin": "JP"}]

        def decide_while_a_person_works(account: Any, verdict: Any, candidates: Any) -> Any:
            if edits:
                set_columns(person, "brands", brand_id, **edits.pop())
            return decide(account, verdict, candidates, settings)

        applied = apply_decision(connection, account_id, LinkRun(decide_while_a_person_works, "run-1", NOW))
        brand = row(connection, "brands", brand_id)
    # The person's Korean name contradicts the review, so the second look under the lock holds the account.
    assert applied.reasons == ("name_conflict",)
    assert (brand["name_ko"], brand["country_of_origin"]) == ("사람", "JP")
    assert brand["primary_instagram_account_id"] is None


def test_an_entity_deleted_in_between_is_created_again(operation_db: ClonedDatabase) -> None:
    settings = EntitySettings()
    with operation_db.connection() as connection, operation_db.connection() as person:
        brands = [insert(connection, "brands", name_en="Madeup Seoul")]
        account_id = insert_account(connection)

        def decide_while_a_person_works(account: Any, verdict: Any, candidates: Any) -> Any:
            if brands:
                person.execute("delete from brands where id = %s", [brands.pop()])
            return decide(account, verdict, candidates, settings)

        applied = apply_decision(connection, account_id, LinkRun(decide_while_a_person_works, "run-1", NOW))
        assert applied.outcome is LinkOutcome.CREATED
        assert count(connection, "brands") == 1


def test_a_concurrent_write_to_metadata_is_not_lost(operation_db: ClonedDatabase) -> None:
    settings = EntitySettings()
    locked = Event()

    def another_stage(account_id: Any) -> None:
        locked.wait(10)
        with operation_db.connection() as connection:
            connection.execute(
                "update instagram_accounts set metadata = jsonb_set(metadata, '{entity_enrichment,tagging}',"
                " '{\"posts\": 3}') || '{\"other\": 1}' where id = %s",
                [account_id],
            )

    def decide_slowly(account: Any, verdict: Any, candidates: Any) -> Any:
        locked.set()
        return decide(account, verdict, candidates, settings)

    with operation_db.connection() as connection, ThreadPoolExecutor(1) as pool:
        account_id = insert_account(connection)
        waiting = pool.submit(another_stage, account_id)
        apply_decision(connection, account_id, LinkRun(decide_slowly, "run-1", NOW))
        waiting.result(10)
        metadata = row(connection, "instagram_accounts", account_id)["metadata"]
    assert (metadata["note"], metadata["other"]) == ("keep me", 1)
    assert metadata["entity_enrichment"]["tagging"] == {"posts": 3}
    assert metadata["entity_enrichment"]["catalog_link"]["status"] == "created"


def test_an_account_that_never_holds_still_is_left_for_later(operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection, operation_db.connection() as person:
        insert(connection, "brands", name_en="Madeup Seoul")
        account_id = insert_account(connection)
        settings = EntitySettings()

        def decide_on_sand(account: Any, verdict: Any, candidates: Any) -> Any:
            decision = decide(account, verdict, candidates, settings)
            person.execute("delete from brands")
            insert(person, "brands", name_en="Madeup Seoul")
            return decision

        with pytest.raises(TransientFailure, match="run it again"):
            apply_decision(connection, account_id, LinkRun(decide_on_sand, "run-1", NOW))
        assert count(connection, "admin_audit_log") == 0


def test_a_killed_transaction_leaves_nothing_behind(operation: Connection) -> None:
    account_id = insert_account(operation)
    before = everything(operation)

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> Hold:
        raise Killed

    with pytest.raises(Killed):
        apply_decision(operation, account_id, LinkRun(killed, "run-1", NOW))
    assert everything(operation) == before


# --- reading ------------------------------------------------------------------------------------------------


def test_an_account_is_read_as_the_decision_sees_it(operation: Connection) -> None:
    brand_id = insert(operation, "brands", name_en="X")
    columns = {"brand_id": brand_id, "entity_ig_role": "primary", "account_type": "company"}
    account = load_account(operation, insert_account(operation, "@Madeup.Seoul", columns=columns))
    assert account is not None
    assert (account.username, account.handle, account.links) == (
        "@Madeup.Seoul",
        "madeup.seoul",
        {EntityTable.BRANDS: brand_id},
    )
    assert (account.account_type, account.entity_ig_role) == ("company", "primary")


def test_a_candidate_is_found_among_many_by_either_name(operation: Connection) -> None:
    operation.execute(
        "insert into brands (name_en, name_ko)"
        " select 'Brand ' || n, '브랜드 ' || n from generate_series(1, 3000) n"
    )
    account = load_account(operation, insert_account(operation))
    assert account is not None
    for names in (
        {"name_en": "BRAND 77", "name_ko": "없는 이름"},
        {"name_en": "No such", "name_ko": "브랜드77"},
    ):
        trip = RoundTrip(operation)
        candidates = ask_candidates(trip, account, a_review(**names))
        trip.go()
        assert [item.name_en for item in candidates(account).matches] == ["Brand 77"]


def test_it_leaves_no_lock_and_no_prepared_statement_in_the_session(operation_db: ClonedDatabase) -> None:
    left_behind = """
        select (select count(*) from pg_prepared_statements),
               (select count(*) from pg_locks where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database()))
    """
    with psycopg.connect(operation_db.url, autocommit=True, prepare_threshold=None) as connection:
        for number in range(8):
            apply(connection, insert_account(connection, f"a{number}", name_en=f"A{number}", name_ko=None))
        assert connection.execute(left_behind).fetchone() == (0, 0)
