import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.domains.entities.accounts import intake
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep
from entity_pipeline.domains.entities.accounts.logic.standing import ListedAccount, standing
from entity_pipeline.domains.entities.accounts.queries.account_facts import facts_after
from entity_pipeline.domains.entities.accounts.queries.intake import IntakeCounts
from entity_pipeline.domains.entities.accounts.queries.queue_rows import (
    FIRST_ID,
    LAST_ID,
    list_new,
    listed_between,
)
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import recount_days, run_totals
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]

FIRST, DAY, NEXT, LAST = date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 30)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Databases:
    """Both databases, with posts on two days: nike on both, puma on the first, fila on the second."""

    def __init__(self, assets: ClonedDatabase, operation: ClonedDatabase) -> None:
        self.assets, self.operation = assets, operation
        self.collect("one", NOON, ["nike", "puma"])
        self.collect("two", NOON + timedelta(days=1), ["nike", "fila"])

    def collect(self, external_id: str, at: datetime, tags: list[str]) -> None:
        with self.assets.connection() as assets:
            assets.execute(
                "insert into raw_posts (platform, external_id, created_at, platform_metadata) "
                "values ('instagram', %s, %s, %s) on conflict (platform, external_id) do update "
                "set platform_metadata = excluded.platform_metadata",
                (external_id, at, json.dumps({"tagged_usernames": tags})),
            )
        self.recount()

    def recount(self) -> None:
        with self.assets.connection() as reader, self.assets.connection() as writer:
            list(recount_days(reader, writer, DAY, NEXT, first_partition=FIRST))

    def take_in(self) -> tuple[IntakeCounts, IntakeCounts]:
        with (
            self.assets.connection() as assets,
            self.assets.connection() as lister,
            self.operation.connection() as guard,
            self.operation.connection() as writer,
        ):
            counts = intake.take_in(assets, lister, guard, [writer], [DAY, NEXT], LAST)
        return counts[DAY], counts[NEXT]

    def execute(self, statement: str) -> None:
        with self.operation.connection() as operation:
            operation.execute(statement)

    def execute_in_assets(self, statement: str) -> None:
        with self.assets.connection() as assets:
            assets.execute(statement)

    def posts(self) -> dict[str, int]:
        with self.operation.connection() as operation:
            return dict(
                operation.execute(
                    "select username, (metadata #>> '{entity_enrichment,tagging,posts}')::int from instagram_accounts"
                ).fetchall()
            )

    def listed(self) -> dict[UUID, ListedAccount]:
        with self.assets.connection() as assets:
            return listed_between(assets, FIRST_ID, LAST_ID)

    def standings(self) -> dict[UUID, ListedAccount]:
        with self.operation.connection() as operation:
            return {account.id: standing(account) for account in facts_after(operation, FIRST_ID, 1_000)[0]}

    def sweep(self) -> int:
        with self.assets.connection() as assets, self.operation.connection() as operation:
            return sweep(operation, assets, give_up_at=math.inf).corrected


@pytest.fixture
def databases(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Databases:
    return Databases(assets_db, operation_db)


def test_a_day_that_the_accounts_hold_is_not_read_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert databases.take_in() == (IntakeCounts(inserted=2), IntakeCounts(inserted=1))
    monkeypatch.delattr(intake, "upsert_tagged_accounts")
    assert databases.take_in() == (IntakeCounts(unchanged=2), IntakeCounts(unchanged=2))


def test_only_days_whose_tags_changed_are_read(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    databases.take_in()
    databases.collect("three", NOON + timedelta(days=1, hours=1), ["nike", "asics"])
    read: list[Any] = []

    def reading(assets: Connection, days: list[date]) -> Any:
        read.append(days)
        return run_totals(assets, days)

    monkeypatch.setattr(intake, "run_totals", reading)
    assert databases.take_in() == (
        IntakeCounts(unchanged=2),
        IntakeCounts(inserted=1, updated=1, unchanged=1),
    )
    assert read == [[NEXT]]
    assert databases.posts() == {"nike": 3, "puma": 1, "fila": 1, "asics": 1}
    assert databases.take_in() == (IntakeCounts(unchanged=2), IntakeCounts(unchanged=3))


@pytest.mark.parametrize(
    "loss",
    [
        "delete from instagram_accounts where username = 'puma'",
        "update instagram_accounts set metadata = '{}' where username = 'puma'",
        f"update instagram_accounts set metadata = '{{}}', created_at = '{DAY}' where username = 'puma'",
        "delete from instagram_accounts",
    ],
)
def test_tagging_that_accounts_have_lost_is_written_again(databases: Databases, loss: str) -> None:
    databases.take_in()
    databases.execute(loss)
    databases.take_in()
    assert databases.posts() == {"nike": 2, "puma": 1, "fila": 1}


def test_a_day_whose_record_was_lost_is_taken_in_again_and_changes_nothing(databases: Databases) -> None:
    databases.take_in()
    databases.execute_in_assets("delete from intake_days")
    assert databases.take_in() == (IntakeCounts(unchanged=2), IntakeCounts(unchanged=1))


def test_whether_a_day_is_held_is_asked_of_the_accounts_and_not_of_the_list(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.take_in()
    assert "puma" in [row.handle for row in databases.listed().values()]
    databases.execute("delete from instagram_accounts where username = 'puma'")
    assert databases.take_in()[0].inserted == 1
    databases.execute_in_assets("drop table enrichment_queue")
    monkeypatch.delattr(intake, "upsert_tagged_accounts")
    assert databases.take_in()[0].unchanged == 2


def test_an_account_that_is_no_longer_tagged_is_counted_down(databases: Databases) -> None:
    databases.take_in()
    databases.collect("one", NOON, ["nike"])
    assert databases.take_in()[0].rechecked == 1
    assert databases.posts() == {"nike": 2, "puma": 0, "fila": 1}


def test_a_run_that_broke_off_is_made_again(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: Any) -> Any:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(intake, "note_days", breaking)
        with pytest.raises(ConnectionError):
            databases.take_in()
    assert databases.take_in() == (
        IntakeCounts(unchanged=2),
        IntakeCounts(unchanged=1),
    )  # each counts once


def test_tags_that_change_while_a_run_reads_are_taken_in_by_the_next(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(assets: Connection, days: list[date]) -> Any:
        lines = list(run_totals(assets, days))
        monkeypatch.undo()
        databases.collect("one", NOON, ["nike", "puma", "asics"])
        return iter(lines)

    monkeypatch.setattr(intake, "run_totals", reading)
    databases.take_in()
    assert "asics" not in databases.posts()
    assert databases.take_in() == (IntakeCounts(inserted=1, unchanged=2), IntakeCounts(unchanged=2))


@pytest.mark.parametrize(
    ("person", "what"),
    [
        ("insert into instagram_accounts (username) values ('puma'), ('@Puma')", "duplicates"),
        ("insert into instagram_accounts (username, metadata) values ('puma', '[]')", "unusable_metadata"),
    ],
)
def test_a_day_with_accounts_for_a_person_to_correct_is_read_each_time(
    databases: Databases, person: str, what: str
) -> None:
    databases.execute(person)
    for _ in range(2):
        assert getattr(databases.take_in()[0], what) == 1


def test_a_day_that_is_held_still_adopts_accounts(databases: Databases) -> None:
    databases.take_in()
    databases.execute(f"insert into instagram_accounts (username, created_at) values ('asics', '{DAY}')")
    assert databases.take_in()[0] == IntakeCounts(unchanged=2, adopted=1)
    assert databases.take_in() == (IntakeCounts(unchanged=2), IntakeCounts(unchanged=2))


def test_a_state_of_another_day_is_not_taken_for_this_one(databases: Databases) -> None:
    databases.take_in()
    swap: Callable[[str], str] = "update intake_days set changed_at = changed_at + interval '{} day'".format
    databases.execute_in_assets(swap("1"))
    assert databases.take_in() == (IntakeCounts(unchanged=2), IntakeCounts(unchanged=1))


@pytest.mark.parametrize(
    "column",
    ["account_type set default 'unknown'", "entity_region_code set default 'KR'", "is_active set not null"],
)
def test_new_accounts_are_listed_as_they_stand_and_leave_a_sweep_nothing(
    databases: Databases, column: str
) -> None:
    databases.execute(f"alter table instagram_accounts alter {column}")
    databases.take_in()
    assert databases.listed() == databases.standings()
    assert len(databases.listed()) == 3
    assert databases.sweep() == 0


@pytest.mark.parametrize("column", ["is_active set default false", "name_en set default 'Nike'"])
def test_new_accounts_that_the_database_makes_otherwise_are_left_to_a_sweep(
    databases: Databases, column: str
) -> None:
    databases.execute(f"alter table instagram_accounts alter {column}")
    databases.take_in()
    assert databases.listed() == {}
    assert databases.sweep() == 3
    assert databases.listed() == databases.standings()


def test_a_run_that_broke_off_between_the_accounts_and_the_list_leaves_them_to_a_sweep(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: Any) -> Any:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(intake, "list_new", breaking)
        with pytest.raises(ConnectionError):
            databases.take_in()
    assert databases.posts().keys() == {"nike", "puma", "fila"}
    assert databases.sweep() == 3
    assert databases.listed() == databases.standings()


def test_a_later_reading_of_a_new_account_stays(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listing_late(lister: Connection, rows: list[bytes]) -> None:
        databases.execute("update instagram_accounts set name_en = 'Nike' where username = 'nike'")
        assert databases.sweep() == 3
        list_new(lister, rows)

    monkeypatch.setattr(intake, "list_new", listing_late)
    databases.take_in()
    assert databases.listed() == databases.standings()
