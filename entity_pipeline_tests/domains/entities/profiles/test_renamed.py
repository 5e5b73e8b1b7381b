"""One Instagram account in several rows: what a look marks in each of them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.profiles.test_backfill import add, backfiller, found, row_of
from entity_pipeline_tests.fakes.instagram import FakeInstagram


def look(database: ClonedDatabase, account: UUID, username: str, pk: str = "77") -> list[UUID]:
    """One look at an account; returns the accounts that were noted as written."""
    written: list[UUID] = []
    work = backfiller(database, FakeInstagram({username: found(username, pk=pk, picture_url=None)}))
    work.note = written.append
    work.backfill(account)
    return written


def marks(database: ClonedDatabase, account: UUID) -> tuple[Any, Any]:
    _, backfill, _ = row_of(database, account)
    now_at = backfill["renamed_to"]
    return now_at and now_at["username"], [row["username"] for row in backfill["renamed_from"]]


def test_the_same_id_under_another_handle_marks_both_rows(operation_db: ClonedDatabase) -> None:
    first, second = add(operation_db, "first"), add(operation_db, "second")
    assert look(operation_db, first, "first") == [first]
    assert look(operation_db, second, "second") == [second, first]
    assert (marks(operation_db, first), marks(operation_db, second)) == (("second", []), (None, ["first"]))


def test_a_chain_of_handles_leads_to_the_last_one(operation_db: ClonedDatabase) -> None:
    accounts = {name: add(operation_db, name) for name in ("first", "second", "third")}
    for name, account in accounts.items():
        look(operation_db, account, name)
    found_marks = {name: marks(operation_db, account) for name, account in accounts.items()}
    assert found_marks["first"][0] == found_marks["second"][0] == "third"
    assert (found_marks["third"][0], sorted(found_marks["third"][1])) == (None, ["first", "second"])


def test_a_handle_taken_again_is_the_present_one(operation_db: ClonedDatabase) -> None:
    first, second = add(operation_db, "first"), add(operation_db, "second")
    for account, name in ((first, "first"), (second, "second"), (first, "first")):
        look(operation_db, account, name)
    assert (marks(operation_db, first)[0], marks(operation_db, second)[0]) == (None, "first")


def test_two_spellings_of_one_handle_are_not_a_rename(operation_db: ClonedDatabase) -> None:
    first, second = add(operation_db, "madeup"), add(operation_db, "@Madeup")
    for account in (first, second):
        look(operation_db, account, "madeup")
    assert marks(operation_db, first) == marks(operation_db, second) == (None, [])


def test_another_id_under_the_handle_marks_no_other_row(operation_db: ClonedDatabase) -> None:
    first, second = add(operation_db, "first"), add(operation_db, "second")
    look(operation_db, first, "first", pk="77")
    look(operation_db, second, "second", pk="78")
    look(operation_db, first, "first", pk="78")
    assert marks(operation_db, second) == (None, [])
    _, backfill, _ = row_of(operation_db, first)
    assert (backfill["reassigned_to"], backfill["instagram_id"]) == ("78", "77")
    look(operation_db, first, "first", pk="77")
    assert row_of(operation_db, first)[1]["reassigned_to"] is None


def test_looks_at_the_same_moment_leave_one_present_row(operation_db: ClonedDatabase) -> None:
    accounts = {f"handle{nth}": add(operation_db, f"handle{nth}") for nth in range(4)}
    together = Barrier(len(accounts))

    def at_once(name: str) -> None:
        together.wait()
        look(operation_db, accounts[name], name)

    with ThreadPoolExecutor(len(accounts)) as threads:
        list(threads.map(at_once, accounts))
    found_marks = {name: marks(operation_db, account) for name, account in accounts.items()}
    (last,) = [name for name, (now_at, _) in found_marks.items() if now_at is None]
    assert {now_at for now_at, _ in found_marks.values()} == {None, last}
    assert sorted(found_marks[last][1]) == sorted(accounts.keys() - {last})


@pytest.mark.parametrize("rule", ["raise 'locked'", "perform 1 / 0"])
def test_a_former_row_that_refuses_its_mark_stops_nothing(operation_db: ClonedDatabase, rule: str) -> None:
    first, second = add(operation_db, "first"), add(operation_db, "second")
    look(operation_db, first, "first")
    with operation_db.connection() as connection:
        connection.execute(
            "create function locked() returns trigger language plpgsql as "
            f"$$ begin if old.username = 'first' then {rule}; end if; return new; end $$; "
            "create trigger locked before update on instagram_accounts for each row execute function locked()"
        )
    assert look(operation_db, second, "second") == [second]
    assert row_of(operation_db, second)[1]["status"] == "found"
