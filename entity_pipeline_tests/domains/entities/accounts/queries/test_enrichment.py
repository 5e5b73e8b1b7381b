import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.accounts.logic.standing import standing
from entity_pipeline.domains.entities.accounts.queries import enrichment
from entity_pipeline.domains.entities.accounts.queries.account_facts import facts_after
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortProgress, CohortRange
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import (
    write_stage,
)
from entity_pipeline.domains.entities.accounts.queries.queue_rows import FIRST_ID
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
NOW = datetime(2026, 3, 10, 12, 0, 0, 250_000, tzinfo=UTC)
ALL = CohortRange(FIRST, LAST, FIRST, LAST)
REVIEWED = {"status": "reviewed", "reviewed_at": "2026-03-05T00:00:00+00:00"}


def of(*days: date) -> CohortRange:
    return CohortRange(min(days), max(days), FIRST, LAST)


def add(
    connection: Connection,
    username: str,
    cohort: date | None = MONDAY,
    posts: Any = 1,
    *,
    created_at: datetime = NOW,
    is_active: bool = True,
    **stages: Any,
) -> UUID:
    """An account as intake leaves it, with what other stages wrote."""
    section = {"tagging": {"posts": posts}, **stages}
    if cohort is not None:
        section["cohort"] = cohort.isoformat()
    return add_raw(
        connection, username, {"entity_enrichment": section}, created_at=created_at, is_active=is_active
    )


def add_raw(
    connection: Connection,
    username: str,
    metadata: Any,
    *,
    created_at: datetime = NOW,
    is_active: bool = True,
) -> UUID:
    query = (
        "insert into instagram_accounts (username, metadata, created_at, is_active) values (%s, %s, %s, %s) "
        "returning id"
    )
    value = None if metadata is None else Jsonb(metadata)
    row = connection.execute(query, [username, value, created_at, is_active]).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def metadata_of(connection: Connection, account_id: UUID) -> Any:
    row = connection.execute("select metadata from instagram_accounts where id = %s", [account_id]).fetchone()
    assert row is not None
    return row[0]


def names(connection: Connection, ids: list[UUID]) -> list[str]:
    found = dict(connection.execute("select id, username from instagram_accounts").fetchall())
    return [found[account_id] for account_id in ids]


def test_reviews_are_asked_for_most_tagged_first_and_then_by_name(operation: Connection) -> None:
    for username, posts in [("few", 1), ("many", 20), ("also.many", 20), ("some", 3)]:
        add(operation, username, posts=posts)
    found = enrichment.pending_reviews(operation, ALL, NOW, 3)
    assert names(operation, found) == ["also.many", "many", "some"]


@pytest.mark.parametrize(
    ("review", "is_pending"),
    [
        (None, True),
        ({"status": "pending"}, True),
        ({"status": "deferred"}, True),
        ({"status": "deferred", "next_attempt_at": None}, True),
        ({"status": "deferred", "next_attempt_at": "2026-03-10T12:00:00+00:00"}, True),
        ({"status": "deferred", "next_attempt_at": "2026-03-10T12:00:01+00:00"}, False),
        ({"status": "deferred", "next_attempt_at": "soon"}, True),
        ({"status": "deferred", "next_attempt_at": 99}, True),
        ({"status": "deferred", "next_attempt_at": {"at": "2027"}}, True),
        ({"status": "reviewed"}, False),
        ({"status": "failed"}, False),
        ({"status": ["reviewed"]}, True),
        ("reviewed", True),
        ([], True),
    ],
)
def test_a_review_is_due_until_it_is_finished_and_not_before_its_time(
    operation: Connection, review: Any, is_pending: bool
) -> None:
    add(operation, "brand", **({} if review is None else {"gemini_review": review}))
    assert bool(enrichment.pending_reviews(operation, ALL, NOW, 10)) is is_pending


@pytest.mark.parametrize(
    ("profile", "is_pending"),
    [
        (None, True),
        ({"status": "deferred", "next_attempt_at": "2026-03-10T11:00:00+00:00"}, True),
        ({"status": "deferred", "next_attempt_at": "2026-03-10T13:00:00+00:00"}, False),
        ({"status": "found"}, False),
        ({"status": "not_found"}, False),
        ({"status": "failed"}, False),
    ],
)
def test_a_profile_is_due_until_its_outcome_is_certain(
    operation: Connection, profile: Any, is_pending: bool
) -> None:
    add(operation, "brand", **({} if profile is None else {"profile_backfill": profile}))
    assert bool(enrichment.pending_profiles(operation, ALL, NOW, 10)) is is_pending


def test_an_inactive_account_is_never_asked_for(operation: Connection) -> None:
    add(operation, "left", is_active=False)
    add(operation, "left.reviewed", is_active=False, gemini_review=REVIEWED)
    assert enrichment.pending_reviews(operation, ALL, NOW, 10) == []
    assert enrichment.pending_profiles(operation, ALL, NOW, 10) == []
    assert enrichment.reviewed_accounts(operation, ALL, NOW) == []
    assert enrichment.cohort_progress(operation, ALL, NOW) == [CohortProgress(MONDAY, 2, 0, 0, 1)]


def test_only_the_cohorts_that_were_asked_for_count(operation: Connection) -> None:
    add(operation, "monday")
    add(operation, "tuesday", TUESDAY)
    found = enrichment.pending_reviews(operation, of(TUESDAY), NOW, 10)
    assert names(operation, found) == ["tuesday"]
    assert enrichment.occupied_cohorts(operation, ALL) == [MONDAY, TUESDAY]
    assert enrichment.occupied_cohorts(operation, of(MONDAY)) == [MONDAY]


@pytest.mark.parametrize(
    ("created_at", "cohort"),
    [
        pytest.param(datetime(2026, 3, 2, 0, 0, tzinfo=UTC), MONDAY, id="its own day"),
        pytest.param(datetime(2026, 3, 4, 8, tzinfo=timezone(timedelta(hours=9))), TUESDAY, id="in UTC"),
        pytest.param(datetime(2019, 7, 1, tzinfo=UTC), FIRST, id="before the first partition"),
        pytest.param(datetime(2031, 7, 1, tzinfo=UTC), LAST, id="after the last partition"),
    ],
)
def test_an_account_without_a_cohort_is_pending_on_the_day_it_was_created(
    operation: Connection, created_at: datetime, cohort: date
) -> None:
    account = add(operation, "older", None, created_at=created_at)
    assert enrichment.pending_reviews(operation, of(cohort), NOW, 10) == [account]
    assert [item.cohort for item in enrichment.cohort_progress(operation, ALL, NOW)] == [cohort]


@pytest.mark.parametrize(
    ("stored", "cohort"),
    [
        ("2025-06-01", MONDAY),
        ("2099-06-01", LAST),
        ("2026-02-31", date(2026, 3, 3)),
        ("2026-13-01", MONDAY),
        ("2026-00-10", MONDAY),
        ("0000-01-01", MONDAY),
        ("monday", MONDAY),
        ("", MONDAY),
        (20260302, MONDAY),
        ({"day": "2026-03-03"}, MONDAY),
        (["2026-03-03"], MONDAY),
        ("2026-03-03\n", MONDAY),
    ],
)
def test_an_account_whose_cohort_is_not_a_partition_is_still_in_one_partition(
    operation: Connection, stored: Any, cohort: date
) -> None:
    expected = FIRST if stored == "2025-06-01" else cohort
    metadata = {"entity_enrichment": {"cohort": stored}}
    account = add_raw(operation, "odd", metadata, created_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert enrichment.pending_reviews(operation, of(expected), NOW, 10) == [account]


HOSTILE_SECTIONS: list[Any] = [
    None,
    True,
    7,
    1e300,
    "text",
    [],
    [1, {"status": "reviewed"}],
    {},
    {"status": {"a": 1}, "reasons": "held", "next_attempt_at": [1], "reviewed_at": 5, "review": "x"},
    {"status": "held", "reasons": {"a": 1}},
    {"status": "held", "reasons": [1, None, {"a": 2}, "no_name"]},
    {"status": "reviewed", "review": [], "confidence": "95%", "reviewed_at": {}},
    {"status": "deferred", "next_attempt_at": "9999999999999"},
]


@pytest.mark.parametrize("value", HOSTILE_SECTIONS, ids=json.dumps)
def test_nothing_in_the_metadata_breaks_a_query(operation: Connection, value: Any) -> None:
    sections = ("gemini_review", "profile_backfill", "catalog_link", "tagging", "cohort")
    metadata: list[Any] = [{"entity_enrichment": {section: value}} for section in sections]
    metadata += [{"entity_enrichment": dict.fromkeys(sections, value)}]
    metadata += [{"entity_enrichment": {"tagging": {"posts": value}}}, {"entity_enrichment": value}, value]
    for number, item in enumerate(metadata):
        add_raw(operation, f"odd{number}", item)
    add_raw(operation, "none", None)
    ask_everything(operation)
    counted = sum(item.accounts for item in enrichment.cohort_progress(operation, ALL, NOW))
    assert counted == len(metadata) + 1


@pytest.mark.parametrize("posts", ["12", -5, 1e300, -1e300, 2.7, 10**40, None, [3]])
def test_a_senseless_count_of_posts_does_not_break_the_order(operation: Connection, posts: Any) -> None:
    add(operation, "odd", posts=posts)
    add(operation, "usual", TUESDAY, posts=4)
    ask_everything(operation)
    listed = [standing(account) for account in facts_after(operation, FIRST_ID, 10)[0]]
    assert {account.cohort: 0 <= account.posts <= 10**9 for account in listed} == {
        MONDAY: True,
        TUESDAY: True,
    }


def ask_everything(connection: Connection) -> None:
    """Run every query of the module, and fill the list from the accounts."""
    accounts, _ = facts_after(connection, FIRST_ID, 100)
    assert [standing(account).state for account in accounts]
    enrichment.pending_profiles(connection, ALL, NOW, 10)
    enrichment.pending_reviews(connection, ALL, NOW, 10)
    enrichment.reviewed_accounts(connection, ALL, NOW)
    enrichment.undecided_accounts(connection, ALL, NOW)
    enrichment.decided_accounts(connection, ALL, NOW)
    enrichment.cohort_progress(connection, ALL, NOW)
    enrichment.occupied_cohorts(connection, ALL)
    enrichment.held_reasons(connection, ALL)
    for stage in ("gemini_review", "profile_backfill", "catalog_link"):
        enrichment.status_counts(connection, ALL, stage, "status")
    for samples in (
        enrichment.profile_samples,
        enrichment.review_samples,
        enrichment.link_samples,
    ):
        samples(connection, ALL)


@pytest.mark.parametrize("metadata", [[], ["note"], "note", 7, True, {"entity_enrichment": ["note"]}])
def test_metadata_that_cannot_hold_ours_is_left_alone_and_waits_for_nothing(
    operation: Connection, metadata: Any
) -> None:
    account = add_raw(operation, "odd", metadata)
    assert write_stage(operation, account, "gemini_review", REVIEWED, {"bio": "new"}) is False
    assert metadata_of(operation, account) == metadata
    assert enrichment.pending_reviews(operation, ALL, NOW, 10) == []
    assert enrichment.pending_profiles(operation, ALL, NOW, 10) == []
    assert enrichment.reviewed_accounts(operation, ALL, NOW) == []
    (progress,) = enrichment.cohort_progress(operation, ALL, NOW)
    assert (progress.accounts, progress.reviews_pending, progress.undecided) == (1, 0, 0)


def test_an_account_is_decided_once_and_again_only_after_a_new_review(operation: Connection) -> None:
    same = {"reviewed_at": REVIEWED["reviewed_at"]}
    links: Mapping[str, Any] = {
        "none": None,
        "linked": {"status": "linked", **same},
        "held": {"status": "held", **same},
        "older": {"status": "linked", "reviewed_at": "2026-03-04T00:00:00+00:00"},
        "undone": {"status": "undone", "reviewed_at": "2026-03-04T00:00:00+00:00"},
    }
    for username, link in links.items():
        add(operation, username, gemini_review=REVIEWED, **({"catalog_link": link} if link else {}))
    add(operation, "failed", gemini_review={"status": "failed"})
    add(operation, "pending")
    undecided = enrichment.undecided_accounts(operation, ALL, NOW)
    decided = enrichment.decided_accounts(operation, ALL, NOW)
    assert names(operation, undecided) == ["none", "older"]
    assert names(operation, decided) == ["held", "linked", "older"]


def test_progress_tells_pending_due_and_undecided_apart(operation: Connection) -> None:
    later = (NOW + timedelta(hours=1)).isoformat(timespec="seconds")
    add(operation, "due")
    add(operation, "later", gemini_review={"status": "deferred", "next_attempt_at": later})
    add(operation, "failed", gemini_review={"status": "failed"})
    add(operation, "undecided", gemini_review=REVIEWED)
    add(
        operation,
        "linked",
        TUESDAY,
        gemini_review=REVIEWED,
        catalog_link={"status": "linked", "reviewed_at": REVIEWED["reviewed_at"]},
    )
    assert enrichment.cohort_progress(operation, ALL, NOW) == [
        CohortProgress(MONDAY, accounts=4, reviews_pending=2, reviews_due=1, undecided=1),
        CohortProgress(TUESDAY, accounts=1, reviews_pending=0, reviews_due=0, undecided=0),
    ]


def test_held_reasons_are_counted_one_by_one_and_only_for_held_accounts(operation: Connection) -> None:
    for number, link in enumerate(
        [
            {"status": "held", "reasons": ["no_name", "ungrounded"]},
            {"status": "held", "reasons": ["no_name"]},
            {"status": "held", "reasons": []},
            {"status": "linked", "reasons": ["no_name"]},
        ]
    ):
        add(operation, f"account{number}", gemini_review=REVIEWED, catalog_link=link)
    assert enrichment.held_reasons(operation, ALL) == {"no_name": 2, "ungrounded": 1}
    assert enrichment.held_reasons(operation, of(TUESDAY)) == {}
    counts = enrichment.status_counts(operation, ALL, "catalog_link", "status")
    assert counts == {"held": 3, "linked": 1}


def test_a_write_replaces_one_stage_and_keeps_everything_else(operation: Connection) -> None:
    account = add_raw(
        operation,
        "brand",
        {"note": "a person's", "entity_enrichment": {"cohort": "2026-03-02", "gemini_review": {"old": 1}}},
    )
    assert write_stage(operation, account, "gemini_review", {"new": 2}, {"bio": "글", "display_name": "B"})
    assert metadata_of(operation, account) == {
        "note": "a person's",
        "entity_enrichment": {"cohort": "2026-03-02", "gemini_review": {"new": 2}},
    }
    columns = operation.execute("select bio, display_name, name_en from instagram_accounts").fetchone()
    assert columns == ("글", "B", None)


@pytest.mark.parametrize("metadata", [None, {}, {"note": 1}, {"entity_enrichment": None}])
def test_a_write_makes_the_place_it_needs(operation: Connection, metadata: Any) -> None:
    account = add_raw(operation, "brand", metadata)
    assert write_stage(operation, account, "profile_backfill", {"status": "found"})
    rest = {key: value for key, value in (metadata or {}).items() if key != "entity_enrichment"}
    assert metadata_of(operation, account) == rest | {
        "entity_enrichment": {"profile_backfill": {"status": "found"}}
    }


def test_json_null_as_metadata_is_replaced_by_ours(operation: Connection) -> None:
    account = add_raw(operation, "brand", {})
    operation.execute("update instagram_accounts set metadata = 'null'")
    assert enrichment.pending_reviews(operation, ALL, NOW, 10) == [account]
    assert write_stage(operation, account, "gemini_review", {"status": "failed"})
    assert metadata_of(operation, account) == {"entity_enrichment": {"gemini_review": {"status": "failed"}}}


def test_text_that_json_allows_and_postgresql_refuses_is_written_readably(operation: Connection) -> None:
    account = add(operation, "brand")
    assert write_stage(operation, account, "gemini_review", {"text": "a\x00b\ud800"})
    written = metadata_of(operation, account)["entity_enrichment"]["gemini_review"]
    assert written == {"text": "a\ufffdb\ufffd"}


def test_an_account_that_is_gone_is_not_written(operation: Connection) -> None:
    assert write_stage(operation, uuid4(), "gemini_review", REVIEWED) is False


def test_two_writers_at_the_same_time_lose_nothing(operation_db: ClonedDatabase) -> None:
    rounds = 25
    with operation_db.connection() as connection:
        account = add_raw(connection, "brand", {"note": "kept"})
    start = Barrier(3)

    def write(stage: str) -> None:
        start.wait()
        for number in range(rounds):
            with operation_db.connection() as connection:
                assert write_stage(connection, account, stage, {"number": number})

    def edit() -> None:
        start.wait()
        for number in range(rounds):
            with operation_db.connection() as connection:
                connection.execute(
                    "update instagram_accounts set metadata = metadata || jsonb_build_object(%s::text, %s::int)",
                    [f"edit{number}", number],
                )

    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(write, "gemini_review"), threads.submit(write, "catalog_link")]
        jobs.append(threads.submit(edit))
        for job in jobs:
            job.result()
    with operation_db.connection() as connection:
        metadata = metadata_of(connection, account)
    assert metadata.pop("entity_enrichment") == {
        "gemini_review": {"number": rounds - 1},
        "catalog_link": {"number": rounds - 1},
    }
    assert metadata == {"note": "kept"} | {f"edit{number}": number for number in range(rounds)}
