"""The queue on a real database: states, pages in both directions, filters, search, exports."""

import csv
import io
import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.domains.entities.page.exports import csv_chunks, export_rows, json_chunks
from entity_pipeline.domains.entities.page.queue import queue_counts, queue_page
from entity_pipeline.domains.entities.page.queue_values import (
    Counts,
    ExportRow,
    QueuePage,
    QueueQuery,
    QueueSort,
)
from entity_pipeline_tests.admin.installations import insert_account
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.accounts.odd_accounts import odd
from entity_pipeline_tests.fakes.database import FollowedDatabase

Connection = psycopg.Connection[Any]
REVIEWED = {"status": "reviewed", "reviewed_at": "2026-11-01T00:00:00+00:00"}


def link(status: Any, **more: Any) -> dict[str, Any]:
    return {"status": status, "reviewed_at": REVIEWED["reviewed_at"], **more}


class Lists:
    """The list as people see it, up to date whenever it is asked."""

    def __init__(self, assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> None:
        self._assets_db = FollowedDatabase(assets_db, operation_db)
        self._operation_db = operation_db

    def page(self, query: QueueQuery) -> QueuePage:
        with self._assets_db.connection() as assets, self._operation_db.connection() as operation:
            return queue_page(assets, operation, query)

    def export(self, query: QueueQuery) -> Iterator[list[ExportRow]]:
        return export_rows(self._assets_db, self._operation_db, query)

    def counts(self) -> Counts:
        with self._assets_db.connection() as assets:
            return queue_counts(assets)


@pytest.fixture
def lists(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Lists:
    return Lists(assets_db, operation_db)


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
def test_pages_go_through_every_account_once_and_back_again(
    crowd: Connection, lists: Lists, sort: QueueSort
) -> None:
    query = QueueQuery(sort=sort, limit=23)
    pages = [lists.page(query)]
    while pages[-1].next_cursor:
        pages.append(lists.page(query.model_copy(update={"cursor": pages[-1].next_cursor})))
    seen = [row.id for page in pages for row in page.rows]
    assert len(seen) == len(set(seen)) == 300
    back = [pages[-1]]
    while back[-1].previous_cursor:
        back.append(lists.page(query.model_copy(update={"cursor": back[-1].previous_cursor})))
    assert [page.rows for page in reversed(back)] == [page.rows for page in pages]


def test_filters_narrow_and_combine(operation: Connection, lists: Lists) -> None:
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
        assert [row.username for row in lists.page(QueueQuery.model_validate(more)).rows] == ["Acme_JP"]
    others = QueueQuery.model_validate({"type": "none", "region": "none"})
    assert [row.username for row in lists.page(others).rows] == ["acme"]
    assert not lists.page(QueueQuery.model_validate({"state": "held", "type": "artist"})).rows


def test_what_people_wrote_counts_before_what_the_review_says(operation: Connection, lists: Lists) -> None:
    insert_account(
        operation, "acme", {"gemini_review": {"review": {"account_type": "brand"}}}, account_type="artist"
    )
    insert_account(
        operation, "b", {"gemini_review": {"review": {"account_type": "brand"}}}, account_type="unknown"
    )
    rows = lists.page(QueueQuery(sort=QueueSort.USERNAME)).rows
    assert [row.type for row in rows] == ["artist", "brand"]


BAD_CURSORS = ["", "x", "!!!", "e30", "WzFd", "a" * 600, "gA==", "W1siYSJdXQ"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_cursor_that_we_did_not_make_is_refused(operation: Connection, lists: Lists, cursor: str) -> None:
    with pytest.raises(InputRejected, match="not belong to this list"):
        lists.page(QueueQuery(cursor=cursor))


def test_a_cursor_of_another_query_is_refused(crowd: Connection, lists: Lists) -> None:
    cursor = lists.page(QueueQuery(limit=5)).next_cursor
    assert cursor is not None
    with pytest.raises(InputRejected, match="not belong to this list"):
        lists.page(QueueQuery(cursor=cursor, sort=QueueSort.OLDEST))


def test_an_export_is_every_row_once_and_runs_no_formula(operation: Connection, lists: Lists) -> None:
    for nth in range(1_005):
        insert_account(operation, f"name_{nth}", name_en="=HYPERLINK(1)" if nth == 7 else '=x"\n<b>')
    lines = list(
        csv.DictReader(io.StringIO(b"".join(csv_chunks(lists.export(QueueQuery()))).decode("utf-8-sig")))
    )
    assert len({line["username"] for line in lines}) == len(lines) == 1_005
    assert {line["name_en"] for line in lines} == {"'=HYPERLINK(1)", "'=x\"\n<b>"}
    objects = json.loads(b"".join(json_chunks(lists.export(QueueQuery(sort=QueueSort.NEWEST_CHANGE)))))
    assert len({item["id"] for item in objects}) == 1_005
    assert json.loads(b"".join(json_chunks(lists.export(QueueQuery(search="zzz"))))) == []


def test_a_list_that_the_role_may_not_see_is_not_an_empty_list(
    assets: Connection, operation: Connection, lists: Lists
) -> None:
    assert lists.counts().total == 0
    insert_account(operation, "acme")
    assets.execute("delete from enrichment_queue; delete from enrichment_queue_sweep")
    with pytest.raises(ConfigurationFailure, match="sees no row of enrichment_queue_sweep"):
        queue_counts(assets)


def test_the_list_says_as_of_when_it_is_and_leaves_out_what_was_deleted_since(
    assets: Connection, operation: Connection, lists: Lists
) -> None:
    assert queue_counts(assets).list_as_of is None
    for name in ("acme", "gone", "other"):
        insert_account(operation, name)
    as_of = lists.counts().list_as_of
    assert as_of is not None
    operation.execute("delete from instagram_accounts where username = 'gone'")
    found = queue_page(assets, operation, QueueQuery(limit=3, sort=QueueSort.USERNAME))
    assert [row.username for row in found.rows] == ["acme", "other"]
    assert lists.counts().total == 2


def test_reasons_are_counted_by_account_with_their_sentence(operation: Connection, lists: Lists) -> None:
    for nth, reasons in enumerate([["no_name", "inactive"], ["no_name"], ["of_older_rules"]]):
        insert_account(
            operation, f"n{nth}", {"gemini_review": REVIEWED, "catalog_link": link("held", reasons=reasons)}
        )
    insert_account(operation, "f", {"gemini_review": {"status": "failed", "error": {"reason": "unreadable"}}})
    counts = lists.counts()
    assert [(item.value, item.accounts) for item in counts.held_reasons] == [
        ("no_name", 2),
        ("inactive", 1),
        ("of_older_rules", 1),
    ]
    assert [item.meaning is None for item in counts.held_reasons] == [False, False, True]
    assert [(item.value, item.accounts) for item in counts.failed_reasons] == [("unreadable", 1)]
