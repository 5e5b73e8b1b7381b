"""The queue on a real database: states, pages in both directions, filters, search, exports."""

import csv
import io
import json
import random
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from entity_pipeline import migrations
from entity_pipeline.admin.installation import Installation
from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    REVIEW_PENDING,
    UNDECIDED,
    due_profile_cohorts,
    plannable_reviews,
)
from entity_pipeline.domains.entities.accounts.queries.queue import (
    waiting_accounts,
    waiting_profiles,
    waiting_reviews,
)
from entity_pipeline.domains.entities.page.exports import csv_chunks, export_rows, json_chunks
from entity_pipeline.domains.entities.page.figures import EntityFigures
from entity_pipeline.domains.entities.page.queue import queue_counts, queue_page
from entity_pipeline.domains.entities.page.queue_values import QueueQuery, QueueSort
from entity_pipeline.domains.entities.partitions import FIRST_DAY, every_cohort, last_day
from entity_pipeline_tests.admin.installations import insert_account
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
REVIEWED = {"status": "reviewed", "reviewed_at": "2026-11-01T00:00:00+00:00"}


def link(status: Any, **more: Any) -> dict[str, Any]:
    return {"status": status, "reviewed_at": REVIEWED["reviewed_at"], **more}


def odd(chance: random.Random) -> Any:
    """Metadata as stages, older versions and people leave it."""
    junk: list[Any] = [None, 7, "text", [], {}, True, "2026-13-45T", "2026-02-31"]
    if chance.random() < 0.1:
        return chance.choice([None, 1, "x", [1]])
    found: dict[str, Any] = {}
    if chance.random() < 0.8:
        found["cohort"] = chance.choice(["2026-10-05", "2026-11-02", "2020-01-01", "2026-02-31", *junk])
    if chance.random() < 0.8:
        found["tagging"] = chance.choice([{"posts": chance.choice([1, 5, 5, -3, 1e30, 2.5, *junk])}, *junk])
    due = ["2026-11-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"]
    if chance.random() < 0.7:
        found["gemini_review"] = chance.choice(
            [
                {
                    "status": chance.choice(["pending", "reviewed", "reviewed", "failed", "deferred", *junk]),
                    "reviewed_at": chance.choice([REVIEWED["reviewed_at"], None]),
                    "next_attempt_at": chance.choice([*due, *junk]),
                    "error": chance.choice([{"reason": "unreadable"}, *junk]),
                    "review": chance.choice([{"account_type": "brand", "name_en": "Ａcme"}, *junk]),
                },
                *junk,
            ]
        )
    if chance.random() < 0.6:
        status = chance.choice(["linked", "created", "held", "undone", "attached", *junk])
        found["catalog_link"] = chance.choice(
            [link(status, reasons=chance.choice([["type_other", None, 3], *junk]), picture="p"), *junk]
        )
    if chance.random() < 0.6:
        status = chance.choice(["found", "pending", "deferred", *junk])
        found["profile_backfill"] = chance.choice(
            [
                {"status": status, "next_attempt_at": chance.choice([*due, *junk]), "image": {"sha256": "p"}},
                *junk,
            ]
        )
    return found


@pytest.fixture
def crowd(operation: Connection, request: pytest.FixtureRequest) -> Connection:
    """300 accounts, odd ones among them, by the seed of the run."""
    seed = request.config.getoption("hypothesis_seed")
    chance = random.Random(str(seed))
    for nth in range(300):
        name = chance.choice(["", "@", " "]) + chance.choice("abAB가") + f"_{nth}"
        insert_account(operation, name, odd(chance), is_active=chance.random() < 0.9)
    return operation


EVERY_SORT = list(QueueSort)


@pytest.mark.parametrize("sort", EVERY_SORT)
def test_pages_go_through_every_account_once_and_back_again(crowd: Connection, sort: QueueSort) -> None:
    query = QueueQuery(sort=sort, limit=23)
    pages = [queue_page(crowd, query)]
    while pages[-1].next_cursor:
        pages.append(queue_page(crowd, query.model_copy(update={"cursor": pages[-1].next_cursor})))
    seen = [row.id for page in pages for row in page.rows]
    assert len(seen) == len(set(seen)) == 300
    back = [pages[-1]]
    while back[-1].previous_cursor:
        back.append(queue_page(crowd, query.model_copy(update={"cursor": back[-1].previous_cursor})))
    assert [page.rows for page in reversed(back)] == [page.rows for page in pages]


def test_most_tagged_is_the_order_in_which_the_schedule_takes_accounts(crowd: Connection) -> None:
    now = datetime.now(UTC)
    theirs = plannable_reviews(crowd, FIRST_DAY, last_day(now), now, 1_000, [])
    ours = waiting_reviews(crowd, FIRST_DAY, last_day(now), now, 1_000, [])
    assert theirs
    assert Counter(ours) == Counter(theirs)
    assert [account.posts for account in ours] == [account.posts for account in theirs]


def test_what_waits_is_what_the_pipeline_says_waits(crowd: Connection) -> None:
    now = datetime.now(UTC)
    assert crowd.execute(f"select count(*) from instagram_accounts where {REVIEW_PENDING}").fetchone() == (
        waiting_accounts(crowd),
    )
    undecided = queue_counts(crowd).states[list(AccountState).index(AccountState.UNDECIDED)].accounts
    assert crowd.execute(f"select count(*) from instagram_accounts where {UNDECIDED}").fetchone() == (
        undecided,
    )
    assert waiting_profiles(crowd, FIRST_DAY, last_day(now), now, 1_000) == due_profile_cohorts(
        crowd, every_cohort(now), now, 1_000
    )


def test_cohorts_in_flight_are_left_out_as_the_schedule_does(crowd: Connection) -> None:
    now = datetime.now(UTC)
    busy = [date(2026, 11, 2), FIRST_DAY]
    theirs = plannable_reviews(crowd, FIRST_DAY, last_day(now), now, 1_000, busy)
    assert Counter(waiting_reviews(crowd, FIRST_DAY, last_day(now), now, 1_000, busy)) == Counter(theirs)


CASES: list[tuple[str, Any, dict[str, Any], str]] = [
    ("nothing yet", None, {}, "pending"),
    ("put off", {"gemini_review": {"status": "deferred"}}, {}, "deferred"),
    ("failed", {"gemini_review": {"status": "failed"}}, {}, "failed"),
    ("reviewed", {"gemini_review": REVIEWED}, {}, "undecided"),
    ("held", {"gemini_review": REVIEWED, "catalog_link": link("held")}, {}, "held"),
    ("linked", {"gemini_review": REVIEWED, "catalog_link": link("linked")}, {}, "linked"),
    (
        "renewed",
        {"gemini_review": {**REVIEWED, "reviewed_at": "x"}, "catalog_link": link("held")},
        {},
        "undecided",
    ),
    (
        "undone",
        {"gemini_review": {**REVIEWED, "reviewed_at": "x"}, "catalog_link": link("undone")},
        {},
        "undone",
    ),
    ("switched off", None, {"is_active": False}, "left_alone"),
    ("unusable", 7, {}, "left_alone"),
]


@pytest.mark.parametrize(
    ("enrichment", "columns", "state"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_an_account_is_in_one_state(
    operation: Connection, enrichment: Any, columns: dict[str, Any], state: str
) -> None:
    insert_account(operation, "acme", enrichment, **columns)
    assert [row.state for row in queue_page(operation, QueueQuery()).rows] == [state]


def test_the_queue_follows_every_write_and_forgets_deleted_accounts(operation: Connection) -> None:
    ids = [insert_account(operation, f"name_{nth}") for nth in range(3)]
    operation.execute("update instagram_accounts set name_en = 'Gentle Monster' where id = %s", [ids[0]])
    operation.execute("delete from instagram_accounts where id = %s", [ids[1]])
    found = queue_page(operation, QueueQuery(search="gentle mon")).rows
    assert [(row.id, row.name_en) for row in found] == [(ids[0], "Gentle Monster")]
    assert queue_counts(operation).total == 2


SHAPES: list[tuple[Any, dict[str, Any]]] = [
    ({"cohort": "2026-11-02", "tagging": {"posts": 3}}, {}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 3, "sample_posts": []}}, {"name_en": ""}),
    ({"cohort": "2026-02-31", "tagging": {"posts": -1}}, {}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 1e12}}, {}),
    ({"cohort": "yesterday", "tagging": {"posts": 3}}, {}),
    ({"cohort": 7, "tagging": {"posts": 3}}, {}),
    ({"cohort": "2026-11-02", "tagging": {"posts": "3"}}, {}),
    ({"cohort": "2026-11-02", "tagging": 7}, {}),
    ({"cohort": "2026-11-02"}, {}),
    ({"tagging": {"posts": 3}}, {}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 3}}, {"is_active": False}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 3}}, {"account_type": "brand"}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 3}}, {"entity_region_code": "KR"}),
    ({"cohort": "2026-11-02", "tagging": {"posts": 3}, "gemini_review": REVIEWED}, {}),
    ([1], {}),
    ("text", {}),
    (None, {}),
]


def test_an_account_that_only_waits_is_listed_like_any_other(operation: Connection) -> None:
    for nth, (enrichment, columns) in enumerate(SHAPES):
        insert_account(operation, f"@Name_{nth}", enrichment, **columns)
    operation.execute(
        "insert into instagram_accounts (username, metadata) values ('plain', '[1]'), ('no', null)"
    )
    for change in ("", "update instagram_accounts set updated_at = now() + interval '1 s'"):
        operation.execute(change or "select")
        listed = operation.execute("select * from enrichment_queue order by account_id").fetchall()
        operation.execute("delete from enrichment_queue")
        operation.execute("select entity_pipeline_queue_refresh(array(select id from instagram_accounts))")
        assert listed == operation.execute("select * from enrichment_queue order by account_id").fetchall()
    assert len(listed) == len(SHAPES) + 2


def test_an_account_that_waits_again_has_nothing_left_of_its_review(operation: Connection) -> None:
    waits = {"cohort": "2026-11-02", "tagging": {"posts": 3}}
    one = insert_account(operation, "acme", waits)
    before = operation.execute("select * from enrichment_queue").fetchall()
    for metadata in ({**waits, "gemini_review": REVIEWED}, waits):
        operation.execute(
            "update instagram_accounts set metadata = %s, updated_at = created_at where id = %s",
            [json.dumps({"entity_enrichment": metadata}), one],
        )
    operation.execute("update enrichment_queue set changed_at = created_at")
    after = operation.execute("select * from enrichment_queue").fetchall()
    assert [row[3:] for row in after] == [row[3:] for row in before]


@pytest.mark.parametrize(
    "statement", ["delete from instagram_accounts", "truncate instagram_accounts cascade"]
)
def test_accounts_that_are_gone_are_gone_from_the_list(operation: Connection, statement: str) -> None:
    for nth in range(3):
        insert_account(operation, f"name_{nth}")
    operation.execute(statement.encode())
    assert operation.execute("select count(*) from enrichment_queue").fetchone() == (0,)


def test_a_broken_queue_never_fails_the_write_of_an_account(operation: Connection) -> None:
    operation.execute("alter table enrichment_queue add column broken int not null")
    insert_account(operation, "acme")
    assert operation.execute("select count(*) from instagram_accounts").fetchone() == (1,)


def test_filters_narrow_and_combine(operation: Connection) -> None:
    review = {
        **REVIEWED,
        "review": {"account_type": "brand", "account_role": "regional", "entity_region_code": "JP"},
    }
    held = {
        "cohort": "2026-11-02",
        "gemini_review": review,
        "catalog_link": link("held", reasons=["no_name"]),
    }
    insert_account(operation, "Acme_JP", held)
    insert_account(operation, "acme", {"cohort": "2026-11-03", "tagging": {"posts": 9}})
    for more in (
        {"state": "held"},
        {"type": "brand"},
        {"role": "regional", "type": "brand"},
        {"region": "JP"},
        {"reason": "no_name"},
        {"cohort": "2026-11-02"},
        {"search": "@ACME_"},
    ):
        assert [row.username for row in queue_page(operation, QueueQuery.model_validate(more)).rows] == [
            "Acme_JP"
        ]
    others = QueueQuery.model_validate({"type": "none", "region": "none"})
    assert [row.username for row in queue_page(operation, others).rows] == ["acme"]
    assert not queue_page(operation, QueueQuery.model_validate({"state": "held", "type": "artist"})).rows


def test_what_people_wrote_counts_before_what_the_review_says(operation: Connection) -> None:
    insert_account(
        operation, "acme", {"gemini_review": {"review": {"account_type": "brand"}}}, account_type="artist"
    )
    insert_account(
        operation, "b", {"gemini_review": {"review": {"account_type": "brand"}}}, account_type="unknown"
    )
    rows = queue_page(operation, QueueQuery(sort=QueueSort.USERNAME)).rows
    assert [row.type for row in rows] == ["artist", "brand"]


BAD_CURSORS = ["", "x", "!!!", "e30", "WzFd", "a" * 600, "gA==", "W1siYSJdXQ"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_cursor_that_we_did_not_make_is_refused(operation: Connection, cursor: str) -> None:
    with pytest.raises(InputRejected, match="not of this list"):
        queue_page(operation, QueueQuery(cursor=cursor))


def test_a_cursor_of_another_query_is_refused(crowd: Connection) -> None:
    cursor = queue_page(crowd, QueueQuery(limit=5)).next_cursor
    assert cursor is not None
    with pytest.raises(InputRejected, match="not of this list"):
        queue_page(crowd, QueueQuery(cursor=cursor, sort=QueueSort.OLDEST))


def test_an_export_is_every_row_once_and_runs_no_formula(
    operation_db: ClonedDatabase, operation: Connection
) -> None:
    for nth in range(1_005):
        insert_account(operation, f"name_{nth}", name_en="=HYPERLINK(1)" if nth == 7 else '=x"\n<b>')
    lines = list(
        csv.DictReader(
            io.StringIO(b"".join(csv_chunks(export_rows(operation_db, QueueQuery()))).decode("utf-8-sig"))
        )
    )
    assert len({line["username"] for line in lines}) == len(lines) == 1_005
    assert {line["name_en"] for line in lines} == {"'=HYPERLINK(1)", "'=x\"\n<b>"}
    objects = json.loads(
        b"".join(json_chunks(export_rows(operation_db, QueueQuery(sort=QueueSort.NEWEST_CHANGE))))
    )
    assert len({item["id"] for item in objects}) == 1_005
    assert json.loads(b"".join(json_chunks(export_rows(operation_db, QueueQuery(search="zzz"))))) == []


def test_the_fill_brings_in_accounts_that_were_there_before(operation: Connection) -> None:
    for nth in range(1_003):
        insert_account(operation, f"name_{nth}")
    before = operation.execute("select * from enrichment_queue order by account_id").fetchall()
    operation.execute("delete from enrichment_queue where handle <> 'name_7'")
    text = (
        Path(migrations.__file__).parent / "operation/20260101001210_enrichment_queue_fill.sql"
    ).read_text()
    for _ in range(2):
        operation.execute(text)
        assert operation.execute("select * from enrichment_queue order by account_id").fetchall() == before


def test_a_list_that_the_role_may_not_see_is_no_empty_list(
    installation: Installation, operation: Connection
) -> None:
    assert EntityFigures(installation).counts().total == 0
    insert_account(operation, "acme")
    operation.execute("delete from enrichment_queue")
    with pytest.raises(ConfigurationFailure, match="enrichment_queue"):
        queue_counts(operation)


def test_reasons_are_counted_by_account_with_their_sentence(operation: Connection) -> None:
    for nth, reasons in enumerate([["no_name", "type_other"], ["no_name"], ["of_older_rules"]]):
        insert_account(
            operation, f"n{nth}", {"gemini_review": REVIEWED, "catalog_link": link("held", reasons=reasons)}
        )
    insert_account(operation, "f", {"gemini_review": {"status": "failed", "error": {"reason": "unreadable"}}})
    counts = queue_counts(operation)
    assert [(item.value, item.accounts) for item in counts.held_reasons] == [
        ("no_name", 2),
        ("of_older_rules", 1),
        ("type_other", 1),
    ]
    assert [item.meaning is None for item in counts.held_reasons] == [False, True, False]
    assert [(item.value, item.accounts) for item in counts.failed_reasons] == [("unreadable", 1)]
