from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from entity_pipeline.domains.entities.accounts.backlog import Waiting
from entity_pipeline.domains.entities.accounts.logic.plan import PendingAccount
from entity_pipeline.domains.entities.accounts.queries import enrichment
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.accounts.queries.test_enrichment import (
    ALL,
    FIRST,
    LAST,
    MONDAY,
    NOW,
    TUESDAY,
    add,
)
from entity_pipeline_tests.domains.entities.catalog_rows import apply, insert_account, set_columns
from entity_pipeline_tests.reliability.documented_roles import documented_roles

Connection = psycopg.Connection[Any]
LATER = (NOW + timedelta(hours=1)).isoformat()
TRIGGERS = ("entity_pipeline_queue_insert", "entity_pipeline_queue_update")


def lose(connection: Connection, *usernames: str) -> None:
    """What a restore without triggers leaves: accounts that the list does not name."""
    connection.execute("delete from enrichment_queue where handle = any(%s)", [list(usernames)])


@pytest.fixture
def crowd(operation: Connection) -> Connection:
    """Accounts in every state, over cohorts within and beyond the partitions."""
    put_off = {"status": "deferred", "next_attempt_at": LATER}
    due = {"status": "deferred", "next_attempt_at": "2026-03-01T00:00:00+00:00"}
    cohorts = [FIRST - timedelta(days=9), FIRST, MONDAY, TUESDAY, LAST, LAST + timedelta(days=9), None]
    for number in range(84):
        stages: dict[str, Any] = {}
        if number % 4:
            stages["gemini_review"] = [due, put_off, {"status": "failed"}][number % 4 - 1]
        if number % 3:
            stages["profile_backfill"] = [put_off, due][number % 3 - 1]
        add(operation, f"a{number}", cohorts[number % 7], number % 10, is_active=bool(number % 11), **stages)
    return operation


def test_the_list_says_what_the_accounts_say(crowd: Connection) -> None:
    waiting = Waiting(crowd, ALL)
    for limit, in_flight in ((5, []), (500, []), (500, [MONDAY, FIRST]), (500, [LAST])):
        theirs = enrichment.plannable_reviews(crowd, FIRST, LAST, NOW, limit, in_flight)
        ours = waiting.reviews(NOW, limit, in_flight)
        assert theirs
        assert [account.posts for account in ours] == [account.posts for account in theirs]
        assert limit < 500 or Counter(ours) == Counter(theirs)
    assert waiting.profiles(NOW, 500) == enrichment.due_profile_cohorts(crowd, ALL, NOW, 500)
    listed, asked = waiting.oldest_review(), enrichment.oldest_pending_review(crowd, ALL)
    assert listed is not None
    assert asked is not None
    assert (listed.created_at, listed.waiting) == (asked.created_at, asked.waiting)


def test_the_most_tagged_come_first_whichever_of_them_were_put_off(operation: Connection) -> None:
    due = {"status": "deferred", "next_attempt_at": "2026-03-01T00:00:00+00:00"}
    for posts, review in enumerate([None, due, None, due]):
        add(operation, f"a{posts}", posts=posts, **({"gemini_review": review} if review else {}))
    found = Waiting(operation, ALL).reviews(NOW, 3, [])
    assert [account.posts for account in found] == [3, 2, 1]


def test_nobody_waits_where_there_is_nobody(operation: Connection) -> None:
    waiting = Waiting(operation, ALL, closely=True)
    assert (waiting.reviews(NOW, 10, []), waiting.profiles(NOW, 10), waiting.undecided()) == ([], [], [])
    assert waiting.oldest_review() is None


def test_who_the_list_misses_is_found_by_a_close_look(operation: Connection) -> None:
    add(operation, "done", MONDAY, gemini_review={"status": "failed"}, profile_backfill={"status": "found"})
    add(operation, "lost", TUESDAY, 7)
    lose(operation, "lost")
    assert Waiting(operation, ALL).reviews(NOW, 10, []) == []
    assert Waiting(operation, ALL).profiles(NOW, 10) == []
    closely = Waiting(operation, ALL, closely=True)
    assert closely.reviews(NOW, 10, []) == [PendingAccount(TUESDAY, 7)]
    assert closely.profiles(NOW, 10) == [TUESDAY]
    insert_account(operation, "undecided")
    lose(operation, "undecided")
    assert Waiting(operation, ALL).undecided() == []
    assert closely.undecided() == [date(2026, 3, 1)]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_list_that_no_trigger_keeps_is_not_believed(operation: Connection, trigger: str) -> None:
    add(operation, "done", MONDAY, gemini_review={"status": "failed"}, profile_backfill={"status": "found"})
    add(operation, "lost", TUESDAY, 7)
    lose(operation, "lost")
    statement = sql.SQL("alter table instagram_accounts disable trigger {}").format(sql.Identifier(trigger))
    operation.execute(statement)
    assert_asks_the_accounts(operation)


def test_a_list_whose_rows_are_hidden_or_that_is_empty_is_not_believed(operation: Connection) -> None:
    add(operation, "lost", TUESDAY, 7)
    lose(operation, "lost")
    assert_asks_the_accounts(operation)


def test_a_role_that_may_not_read_the_list_asks_the_accounts(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with operation_db.connection() as owner:
        add(owner, "lost", TUESDAY, 7)
    with documented_roles(assets_db, operation_db) as roles:
        with operation_db.connection() as owner:
            owner.execute(
                sql.SQL("revoke select on enrichment_queue from {}").format(
                    sql.Identifier(roles.names["operation", "entity_pipeline"])
                )
            )
        with psycopg.connect(roles.url("operation", "entity_pipeline"), autocommit=True) as connection:
            assert_asks_the_accounts(connection)


def assert_asks_the_accounts(connection: Connection) -> None:
    waiting = Waiting(connection, ALL)
    assert waiting.reviews(NOW, 10, []) == [PendingAccount(TUESDAY, 7)]
    assert waiting.profiles(NOW, 10) == [TUESDAY]
    assert waiting.undecided() == []
    oldest = waiting.oldest_review()
    assert oldest is not None
    assert oldest.waiting == 1


@pytest.fixture
def follower(operation: Connection) -> str:
    """The cohort of an account that waits for one that a person has linked since."""
    columns: dict[str, Any] = {
        "account_role": "regional",
        "entity_region_code": "JP",
        "primary_username": "madeup.seoul",
        "name_en": "Madeup Japan",
        "name_ko": None,
    }
    primary = insert_account(operation)
    apply(operation, insert_account(operation, "madeup.japan", **columns))
    assert Waiting(operation, ALL).undecided() == [date(2026, 3, 1)]  # of the primary account itself
    brand = operation.execute("insert into brands (name_en) values ('Madeup Seoul') returning id").fetchone()
    assert brand is not None
    link = '{"status": "linked", "reviewed_at": "2026-03-01T11:00:00+00:00"}'
    operation.execute(
        "update instagram_accounts set metadata = jsonb_set(metadata, '{entity_enrichment,catalog_link}', %s) "
        "where id = %s",
        [link, primary],
    )
    assert Waiting(operation, ALL).undecided() == []
    set_columns(operation, "instagram_accounts", primary, brand_id=brand[0], entity_ig_role="primary")
    return "2026-03-01"


def test_who_waited_for_an_account_that_a_person_linked_is_undecided(
    operation: Connection, follower: str
) -> None:
    assert Waiting(operation, ALL).undecided() == [date.fromisoformat(follower)]


def test_cohorts_beyond_the_partitions_are_in_the_first_and_the_last(operation: Connection) -> None:
    for name, day in (("early", FIRST - timedelta(days=3)), ("late", LAST + timedelta(days=3))):
        add(operation, name, day, gemini_review={"status": "reviewed", "reviewed_at": NOW.isoformat()})
    today = CohortRange(FIRST, LAST, FIRST, LAST)
    assert Waiting(operation, today).undecided() == [FIRST, LAST]


def test_created_at_of_the_oldest_is_that_of_one_who_waits(operation: Connection) -> None:
    old = datetime(2026, 1, 2, tzinfo=UTC)
    add(operation, "old.and.done", created_at=old, gemini_review={"status": "failed"})
    add(operation, "new", created_at=NOW)
    add(operation, "older", created_at=NOW - timedelta(days=1))
    found = Waiting(operation, ALL).oldest_review()
    assert found is not None
    assert (found.username, found.created_at, found.waiting) == ("older", NOW - timedelta(days=1), 2)
