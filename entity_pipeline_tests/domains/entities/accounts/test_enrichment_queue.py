"""The list follows the accounts: by our own writes, by a sweep over those of others, by a comparison of all of them."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.domains.entities.accounts import enrichment_queue
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper, compare, follow, sweep
from entity_pipeline.domains.entities.accounts.logic.standing import ListedAccount, review_waits, standing
from entity_pipeline.domains.entities.accounts.queries import account_facts, enrichment
from entity_pipeline.domains.entities.accounts.queries.account_facts import facts_after, facts_of, horizon
from entity_pipeline.domains.entities.accounts.queries.queue_rows import (
    FIRST_ID,
    LAST_ID,
    list_accounts,
    listed_between,
    read_sweep,
)
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.accounts.odd_accounts import every_combination, insert, odd
from entity_pipeline_tests.fakes.database import FlakyDatabase

Connection = psycopg.Connection[Any]
LATER = 3_600.0


def swept(operation: Connection, assets: Connection) -> tuple[int, int]:
    report = sweep(operation, assets, give_up_at=time.monotonic() + LATER)
    assert report.is_finished
    return report.corrected, report.removed


def compared(operation: Connection, assets: Connection) -> tuple[int, int]:
    report = compare(operation, assets, give_up_at=time.monotonic() + LATER)
    assert report.is_finished
    return report.corrected, report.removed


def listed(assets: Connection) -> dict[str, ListedAccount]:
    return {row.handle: row for row in listed_between(assets, FIRST_ID, LAST_ID).values()}


def right(operation: Connection) -> dict[str, ListedAccount]:
    return {row.handle: row for row in map(standing, facts_after(operation, FIRST_ID, 1_000_000)[0])}


def id_of(operation: Connection, username: str) -> UUID:
    row = operation.execute("select id from instagram_accounts where username = %s", [username]).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


@pytest.fixture
def crowd(operation: Connection, request: pytest.FixtureRequest) -> Connection:
    """300 accounts, odd ones among them, by the seed of the run."""
    chance = random.Random(str(request.config.getoption("hypothesis_seed")))
    for nth in range(300):
        name = chance.choice(["", "@", " "]) + chance.choice("abAB가") + f"_{nth}"
        insert(operation, name, {"entity_enrichment": odd(chance)}, is_active=chance.random() < 0.9)
    insert(operation, "plain", [1])
    insert(operation, "none", None)
    return operation


def test_a_run_chooses_by_the_same_rule_in_sql(crowd: Connection) -> None:
    for nth, combination in enumerate(every_combination()):
        insert(crowd, f"case_{nth}", {"entity_enrichment": combination}, is_active=bool(nth % 5))
    now = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
    said = crowd.execute(
        f"""select id, {enrichment.REVIEW_PENDING}, {enrichment.REVIEW_DUE}, {enrichment.UNDECIDED},
          {enrichment.PROFILE_DUE} from instagram_accounts""".encode(),
        {"now": now.isoformat()},
    ).fetchall()
    ruled = {account.id: (account, standing(account)) for account in facts_after(crowd, FIRST_ID, 10_000)[0]}
    assert len(said) == len(ruled) > 1_000
    for account_id, *answers in said:
        account, row = ruled[account_id]
        waits = row.state in ("pending", "deferred")
        assert answers == [
            waits,
            waits and (row.next_attempt or "") <= now.isoformat(),
            row.state == "undecided",
            row.profile_next is not None and row.profile_next <= now.isoformat(),
        ], account
        review = account.enrichment.get("gemini_review") if isinstance(account.enrichment, dict) else None
        assert waits <= review_waits(review if isinstance(review, dict) else {})


def test_what_is_left_out_of_the_reading_changes_no_standing(crowd: Connection) -> None:
    whole = dict(
        crowd.execute("select id, metadata -> 'entity_enrichment' from instagram_accounts").fetchall()
    )
    facts, _ = facts_of(crowd, list(whole))
    for account in facts:
        columns = {name: getattr(account, name) for name in account.__slots__}
        assert standing(account) == standing(type(account)(**{**columns, "enrichment": whole[account.id]}))


def test_the_first_sweep_fills_the_list_and_the_next_finds_nothing(
    crowd: Connection, assets: Connection
) -> None:
    assert swept(crowd, assets) == (302, 0)
    assert listed(assets) == right(crowd)
    assert swept(crowd, assets) == (0, 0)
    assert compared(crowd, assets) == (0, 0)


def test_a_sweep_finds_what_others_wrote(crowd: Connection, assets: Connection) -> None:
    swept(crowd, assets)
    insert(crowd, "new", {"entity_enrichment": {"tagging": {"posts": 7}}})
    crowd.execute("update instagram_accounts set name_en = 'Gentle Monster' where username = 'plain'")
    assert swept(crowd, assets) == (2, 0)
    assert listed(assets) == right(crowd)


def test_a_transaction_that_was_open_during_a_sweep_is_found_by_a_later_one(
    operation_db: ClonedDatabase, operation: Connection, assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_facts, "CLOCKS_APART", timedelta(0))
    with operation_db.connection() as slow:
        with slow.transaction():
            slow.execute("select now()")  # from here on all that it writes has this updated_at
            insert(operation, "quick")
            assert swept(operation, assets) == (1, 0)
            insert(slow, "slow")
            assert swept(operation, assets) == (0, 0)
            insert(operation, "quicker")
            assert swept(operation, assets) == (1, 0)
        assert swept(operation, assets) == (1, 0)
    assert listed(assets).keys() == {"quick", "slow", "quicker"}
    assert swept(operation, assets) == (0, 0)


def test_it_looks_back_to_the_oldest_transaction_that_is_open(
    operation_db: ClonedDatabase, operation: Connection
) -> None:
    with operation_db.connection() as slow, slow.transaction():
        row = slow.execute("select now()").fetchone()
        assert row is not None
        time.sleep(0.01)
        seen = horizon(operation)
        assert seen.settles_at <= row[0] - account_facts.CLOCKS_APART
    assert horizon(operation).settles_at > seen.settles_at


def test_it_looks_back_an_hour_where_the_sessions_of_others_are_hidden(
    operation_db: ClonedDatabase, operation: Connection
) -> None:
    role = f"entity_pipeline_test_{time.time_ns()}"
    operation.execute(f"create role {role}".encode())
    try:
        with operation_db.connection() as other, other.transaction():
            other.execute("select 1")
            assert horizon(operation).settles_at > horizon(operation).now - account_facts.HIDDEN_TRANSACTION
            with operation.transaction():
                operation.execute(f"set local role {role}".encode())
                hidden = horizon(operation)
        assert hidden.settles_at <= hidden.now - account_facts.HIDDEN_TRANSACTION
    finally:
        operation.execute(f"drop role {role}".encode())


def test_a_forgotten_session_does_not_make_every_sweep_longer(
    operation: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_facts, "LOOK_BACK_AT_MOST", timedelta(seconds=1))
    seen = horizon(operation)
    assert seen.settles_at == seen.now - timedelta(seconds=1)


def test_a_sweep_that_is_broken_off_goes_on_where_it_was(
    crowd: Connection, assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrichment_queue, "PAGE", 100)
    for corrected in (100, 100, 100):
        report = sweep(crowd, assets, give_up_at=0.0)
        assert (report.corrected, report.is_finished, report.as_of) == (corrected, False, None)
    report = sweep(crowd, assets, give_up_at=0.0)
    assert (report.corrected, report.is_finished) == (2, True)
    state = read_sweep(assets)
    assert state is not None
    assert (state.as_of, state.walked_at) == (report.as_of, None)
    assert listed(assets) == right(crowd)


def test_accounts_with_the_same_updated_at_are_read_page_by_page(
    operation: Connection, assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrichment_queue, "PAGE", 10)
    operation.execute(
        "insert into instagram_accounts (username) select 'a_' || n from generate_series(1, 95) n"
    )
    assert swept(operation, assets) == (95, 0)
    operation.execute("update instagram_accounts set name_en = 'A'")
    assert swept(operation, assets) == (95, 0)
    assert listed(assets) == right(operation)


@pytest.fixture
def untouched(operation: Connection) -> Connection:
    """Write as an application does in an installation where no trigger keeps `updated_at`."""
    operation.execute("alter table instagram_accounts disable trigger entity_pipeline_touch_updated_at")
    return operation


def test_a_write_that_does_not_touch_updated_at_is_found_by_the_comparison(
    untouched: Connection, assets: Connection
) -> None:
    for name in ("one", "two", "three"):
        insert(untouched, name)
    swept(untouched, assets)
    untouched.execute("update instagram_accounts set is_active = false where username = 'two'")
    assert swept(untouched, assets) == (0, 0)
    assert listed(assets)["two"].state == "pending"
    assert compared(untouched, assets) == (1, 0)
    assert listed(assets) == right(untouched)


def test_an_updated_at_set_to_long_ago_is_found_by_the_comparison(
    untouched: Connection, assets: Connection
) -> None:
    insert(untouched, "one")
    swept(untouched, assets)
    insert(untouched, "restored")
    untouched.execute("update instagram_accounts set updated_at = '2020-01-01' where username = 'restored'")
    assert swept(untouched, assets) == (0, 0)
    assert compared(untouched, assets) == (1, 0)
    assert listed(assets) == right(untouched)


@pytest.mark.parametrize(
    "gone", ["delete from instagram_accounts where username < 'n'", "truncate instagram_accounts cascade"]
)
def test_deletions_are_found_by_the_comparison(crowd: Connection, assets: Connection, gone: str) -> None:
    swept(crowd, assets)
    before = len(listed(assets))
    crowd.execute(gone.encode())
    assert swept(crowd, assets) == (0, 0)
    left = right(crowd)
    assert compared(crowd, assets) == (0, before - len(left))
    assert listed(assets) == left


def test_a_comparison_that_is_broken_off_goes_on_where_it_was(
    crowd: Connection, assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrichment_queue, "READ_AT_ONCE", 100)
    ends = [compare(crowd, assets, give_up_at=0.0) for _ in range(4)]
    assert [(end.corrected, end.is_finished) for end in ends] == [(100, False)] * 3 + [(2, True)]
    state = read_sweep(assets)
    assert state is not None
    assert state.compared_at is not None
    assert state.compared_id is None


def test_an_older_reading_never_replaces_a_newer_one(operation: Connection, assets: Connection) -> None:
    insert(operation, "acme")
    account = id_of(operation, "acme")
    facts, read_at = facts_of(operation, [account])
    operation.execute("update instagram_accounts set is_active = false")
    assert follow(operation, assets, [account]) == (1, 0)
    assert list_accounts(assets, [standing(facts[0])], read_at) == 0
    assert listed(assets)["acme"].state == "left_alone"


def test_a_row_that_was_listed_after_the_reading_is_not_taken_for_deleted(
    operation: Connection, assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_then_another_came(*asked: Any) -> Any:
        answer = facts_after(*asked)
        insert(operation, "late")
        follow(operation, assets, [id_of(operation, "late")])
        return answer

    insert(operation, "early")
    monkeypatch.setattr(enrichment_queue, "facts_after", and_then_another_came)
    assert compared(operation, assets) == (1, 0)
    assert listed(assets).keys() == {"early", "late"}


def test_what_a_stage_wrote_is_followed_some_at_a_time_and_at_its_end(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, operation: Connection, assets: Connection
) -> None:
    for nth in range(5):
        insert(operation, f"name_{nth}")
    with QueueKeeper(operation_db, assets_db, at_once=2) as keeper:
        for nth in range(5):
            keeper.note(id_of(operation, f"name_{nth}"))
            assert len(listed(assets)) == (nth + 1) // 2 * 2
    assert listed(assets) == right(operation)


def test_a_stage_that_is_interrupted_has_its_accounts_listed(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, operation: Connection, assets: Connection
) -> None:
    insert(operation, "acme")

    def stage() -> None:
        with QueueKeeper(operation_db, assets_db) as keeper:
            keeper.note(id_of(operation, "acme"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage()
    assert listed(assets).keys() == {"acme"}


def test_a_stage_does_not_fail_because_of_the_list_and_the_sweep_makes_up_for_it(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, operation: Connection, assets: Connection
) -> None:
    insert(operation, "acme")
    with QueueKeeper(
        operation_db, FlakyDatabase(assets_db, {1: DatabaseUnavailable("It is away.")})
    ) as keeper:
        keeper.note(id_of(operation, "acme"))
    assert listed(assets) == {}
    assert swept(operation, assets) == (1, 0)


@pytest.mark.parametrize("column", ["created_at", "updated_at"])
@pytest.mark.parametrize("at", ["infinity", "-infinity", "0044-03-15 BC", "294276-12-31", "9999-12-31"])
def test_an_account_with_a_time_that_python_cannot_hold_is_listed_and_stops_no_other(
    operation: Connection, assets: Connection, column: str, at: str
) -> None:
    for username in ("odd", "usual"):
        insert(operation, username)
    operation.execute("alter table instagram_accounts disable trigger user")
    operation.execute(f"update instagram_accounts set {column} = %s where username = 'odd'".encode(), [at])
    swept(operation, assets)
    compared(operation, assets)
    assert len(listed(assets)) == 2
    assert listed(assets) == right(operation)
    assert swept(operation, assets) == compared(operation, assets) == (0, 0)
    assert {row.cohort.year for row in listed(assets).values()} - {1, 9999} == {datetime.now(UTC).year}
