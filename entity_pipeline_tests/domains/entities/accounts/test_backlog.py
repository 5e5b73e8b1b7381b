"""The list names the same waiting accounts, in the same order, as the runs find among the accounts."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.core.clock import utc_text
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.settings import Closed, Open
from entity_pipeline.domains.entities.accounts.backlog import Backlog, Wanted
from entity_pipeline.domains.entities.accounts.enrichment_queue import correct
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, Launch
from entity_pipeline.domains.entities.accounts.queries import backlog as listed
from entity_pipeline.domains.entities.accounts.queries import enrichment
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.accounts.queries.test_enrichment import (
    ALL,
    FIRST,
    LAST,
    MONDAY,
    NOW,
    TUESDAY,
    add,
    names,
)
from entity_pipeline_tests.domains.entities.catalog_rows import apply, insert_account, set_columns
from entity_pipeline_tests.fakes.database import FollowedDatabase

Connection = psycopg.Connection[Any]
LATER = (NOW + timedelta(hours=1)).isoformat()
DUE = {"status": "deferred", "next_attempt_at": "2026-03-01T00:00:00+00:00"}
PUT_OFF = {"status": "deferred", "next_attempt_at": LATER}
FREE = QuotaStatus(
    model="gemini-2.5-flash",
    unit="prompt",
    quota_day=MONDAY,
    used=0,
    reserved=0,
    cap=100,
    resets_at=datetime(2026, 3, 3, 8, tzinfo=UTC),
    spent_usd=Decimal(1),
    spend_limit_usd=Decimal(10),
    blocked_until=None,
)


@pytest.fixture
def followed(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> FollowedDatabase:
    """The assets database, whose list is up to date at each connection."""
    return FollowedDatabase(assets_db, operation_db)


@pytest.fixture
def crowd(operation: Connection) -> Connection:
    """Accounts in every state, over cohorts within and beyond the partitions."""
    cohorts = [FIRST - timedelta(days=9), FIRST, MONDAY, TUESDAY, LAST, LAST + timedelta(days=9), None]
    for number in range(84):
        stages: dict[str, Any] = {}
        if number % 4:
            stages["gemini_review"] = [DUE, PUT_OFF, {"status": "failed"}][number % 4 - 1]
        if number % 3:
            stages["profile_backfill"] = [PUT_OFF, DUE][number % 3 - 1]
        if number % 9 == 0:
            stages["gemini_review"] = {"status": "reviewed", "reviewed_at": LATER}
        add(operation, f"a{number}", cohorts[number % 7], number % 10, is_active=bool(number % 11), **stages)
    return operation


@pytest.mark.parametrize("limit", [5, 500])
def test_the_list_names_the_accounts_that_the_runs_find_in_the_same_order(
    crowd: Connection, followed: FollowedDatabase, limit: int
) -> None:
    with followed.connection() as assets:
        for ask, found in (
            (listed.listed_reviews, enrichment.pending_reviews),
            (listed.listed_profiles, enrichment.pending_profiles),
        ):
            assert found(crowd, ALL, NOW, limit)
            assert names(crowd, ask(assets, ALL, NOW, limit)) == names(crowd, found(crowd, ALL, NOW, limit))
        undecided = enrichment.undecided_accounts(crowd, ALL, NOW)
        assert undecided
        assert listed.listed_undecided(assets, ALL, NOW) == undecided
        planned = listed.waiting_reviews(assets, ALL, NOW, limit)
    assert len(planned) == len(enrichment.pending_reviews(crowd, ALL, NOW, limit))


def test_cohorts_in_flight_are_left_out_and_only_those_asked_for_are_taken(
    crowd: Connection, followed: FollowedDatabase
) -> None:
    progress = {item.cohort: item.reviews_due for item in enrichment.cohort_progress(crowd, ALL, NOW)}
    assert {MONDAY, FIRST, LAST} <= {day for day, due in progress.items() if due}
    with followed.connection() as assets:
        for wanted in (
            {"in_flight": [MONDAY, FIRST]},
            {"in_flight": [LAST]},
            {"only": [MONDAY]},
            {"only": []},
            {},
        ):
            found = Counter(item.cohort for item in listed.waiting_reviews(assets, ALL, NOW, 500, **wanted))
            only, busy = wanted.get("only", progress), wanted.get("in_flight", [])
            assert found == {
                day: due for day, due in progress.items() if due and day in only and day not in busy
            }


@pytest.mark.parametrize(
    "wanted", [{}, {"in_flight": [MONDAY, FIRST]}, {"only": [LAST, MONDAY]}, {"only": []}], ids=str
)
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_the_oldest_cohorts_come_first_in_the_order_in_which_their_runs_take_them(
    crowd: Connection, followed: FollowedDatabase, wanted: dict[str, Any], limit: int
) -> None:
    by_cohort: list[UUID] = []
    for day in sorted(item.cohort for item in enrichment.cohort_progress(crowd, ALL, NOW)):
        if day in wanted.get("only", [day]) and day not in wanted.get("in_flight", []):
            one = CohortRange(day, day, ALL.first_day, ALL.last_day)
            by_cohort += enrichment.pending_reviews(crowd, one, NOW, 500)
    with followed.connection() as assets:
        found = listed.waiting_reviews(assets, ALL, NOW, limit, oldest_first=True, **wanted)
    if limit == 500:
        assert {account.id for account in found} == set(by_cohort)
    days = [account.cohort for account in found]
    assert days == sorted(days)
    whole = by_cohort[: len(found)]
    assert len(found) == min(limit, len(by_cohort))
    last = days[-1:] or [None]
    assert {a.id for a in found if a.cohort != last[0]} <= set(whole)


def test_accounts_without_a_tag_get_their_part_of_a_tick(
    operation: Connection, followed: FollowedDatabase
) -> None:
    for number in range(4):
        add(operation, f"theirs{number}", FIRST - timedelta(days=900 + number), 0)
        add(operation, f"tagged{number}", LAST, 30)
    with followed.connection() as assets:
        assert next_runs(assets, Wanted(reviews=4)) == Launch({FIRST: 1, LAST: 3})
        assert next_runs(assets, Wanted(reviews=4), fairness=0) == Launch({LAST: 4})


def test_the_most_tagged_accounts_come_first_even_if_they_were_deferred(
    operation: Connection, followed: FollowedDatabase
) -> None:
    for posts, review in enumerate([None, DUE, None, DUE]):
        add(operation, f"a{posts}", posts=posts, **({"gemini_review": review} if review else {}))
    with followed.connection() as assets:
        found = listed.waiting_reviews(assets, ALL, NOW, 3)
    assert [account.posts for account in found] == [3, 2, 1]


def test_nothing_waits_where_there_is_no_account(assets: Connection) -> None:
    backlog = Backlog(assets, ALL)
    assert (
        listed.waiting_reviews(assets, ALL, NOW, 10),
        list(backlog.undecided([])),
        backlog.oldest_review(),
    ) == (
        [],
        [],
        None,
    )
    assert listed.waiting_profiles(assets, ALL, NOW, 10) == []
    decision = backlog.next_runs(Open(EntitySettings()), FREE, frozenset(), NOW, Wanted())
    assert isinstance(decision, HoldOff)


def next_runs(
    assets: Connection, wanted: Wanted, *, quota: QuotaStatus = FREE, **settings: Any
) -> Launch | HoldOff:
    gate = Open(EntitySettings(**settings))
    return Backlog(assets, ALL).next_runs(gate, quota, {TUESDAY}, NOW, wanted)


def test_a_plan_takes_what_is_wanted_affordable_and_not_in_flight(
    operation: Connection, followed: FollowedDatabase
) -> None:
    for number in range(6):
        add(operation, f"a{number}", [MONDAY, TUESDAY, LAST][number % 3], 10 - number, profile_backfill=DUE)
    looking = {"instagram_backfill_enabled": True}
    with followed.connection() as assets:
        assert next_runs(assets, Wanted()) == Launch({MONDAY: 2, LAST: 2})
        assert next_runs(assets, Wanted(reviews=3)) == Launch({MONDAY: 2, LAST: 1})
        assert next_runs(assets, Wanted(only=[LAST])) == Launch({LAST: 2})
        assert next_runs(assets, Wanted(reviews=1), **looking) == Launch({MONDAY: 1, LAST: 0})
        assert next_runs(assets, Wanted(reviews=1, profiles=1), **looking) == Launch({MONDAY: 1})
        one = QuotaStatus(**{**{name: getattr(FREE, name) for name in FREE.__slots__}, "used": 99})
        assert next_runs(assets, Wanted(), quota=one) == Launch({MONDAY: 1})
        off = Closed.because("Off.")
        assert Backlog(assets, ALL).next_runs(off, FREE, frozenset(), NOW, Wanted()) == HoldOff(off.reason)


def test_accounts_that_a_run_does_not_find_are_corrected_in_the_list(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, operation: Connection, followed: FollowedDatabase
) -> None:
    for name in ("deleted", "edited", "waits"):
        add(operation, name)
    with followed.connection() as assets:
        assert len(listed.waiting_reviews(assets, ALL, NOW, 10)) == 3
        operation.execute("delete from instagram_accounts where username = 'deleted'")
        operation.execute("alter table instagram_accounts disable trigger entity_pipeline_touch_updated_at")
        operation.execute("update instagram_accounts set is_active = false where username = 'edited'")
        found = enrichment.pending_reviews(operation, ALL, NOW, 10)

        def ask(connection: Connection) -> Any:
            return listed.listed_reviews(connection, ALL, NOW, 10)

        correct(operation_db, assets_db, ask, found)
        (left,) = listed.waiting_reviews(assets, ALL, NOW, 10)
        assert (left.cohort, left.posts) == (MONDAY, 1)


@pytest.fixture
def follower(operation: Connection, followed: FollowedDatabase) -> date:
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
    assert undecided(operation, followed) == [date(2026, 3, 1)]  # of the primary account itself
    brand = operation.execute("insert into brands (name_en) values ('Madeup Seoul') returning id").fetchone()
    assert brand is not None
    link = '{"status": "linked", "reviewed_at": "2026-03-01T11:00:00+00:00"}'
    operation.execute(
        "update instagram_accounts set metadata = jsonb_set(metadata, '{entity_enrichment,catalog_link}', %s) "
        "where id = %s",
        [link, primary],
    )
    assert undecided(operation, followed) == []
    set_columns(operation, "instagram_accounts", primary, brand_id=brand[0], entity_ig_role="primary")
    return date(2026, 3, 1)


def undecided(operation: Connection, followed: FollowedDatabase, cohorts: CohortRange = ALL) -> list[date]:
    with followed.connection() as assets:
        return list(Backlog(assets, cohorts).undecided(overtaken(operation)))


def test_an_account_that_again_one_that_a_person_linked_is_undecided(
    operation: Connection, followed: FollowedDatabase, follower: date
) -> None:
    assert undecided(operation, followed) == [follower]


def test_cohorts_beyond_the_partitions_are_in_the_first_and_the_last(
    operation: Connection, followed: FollowedDatabase
) -> None:
    for name, day in (("early", FIRST - timedelta(days=3)), ("late", LAST + timedelta(days=3))):
        add(operation, name, day, gemini_review={"status": "reviewed", "reviewed_at": NOW.isoformat()})
    assert undecided(operation, followed, CohortRange(FIRST, LAST, FIRST, LAST)) == [FIRST, LAST]


def test_the_oldest_created_at_is_that_of_a_waiting_account(
    operation: Connection, followed: FollowedDatabase
) -> None:
    old = datetime(2026, 1, 2, tzinfo=UTC)
    add(operation, "old.and.done", created_at=old, gemini_review={"status": "failed"})
    add(operation, "new", created_at=NOW)
    add(operation, "older", created_at=NOW - timedelta(days=1))
    with followed.connection() as assets:
        found = Backlog(assets, ALL).oldest_review()
    assert found is not None
    assert (found.username, found.created_at, found.waiting) == ("older", NOW - timedelta(days=1), 2)


def aged(days: int, **more: Any) -> dict[str, Any]:
    return {"status": "found", "looked_at": utc_text(NOW - timedelta(days=days)), **more}


def test_the_oldest_looks_come_first_and_the_list_names_the_cohorts_of_the_same_accounts(
    operation: Connection, followed: FollowedDatabase
) -> None:
    for nth, (days, cohort) in enumerate(
        [(10, MONDAY), (200, MONDAY), (100, TUESDAY), (89, LAST), (91, LAST)]
    ):
        add(operation, f"a{nth}", cohort, profile_backfill=aged(days))
    add(operation, "off", LAST, is_active=False, profile_backfill=aged(300))
    add(operation, "spoiled", LAST, profile_backfill=aged(300, looked_at="long ago"))
    add(operation, "waits", LAST, profile_backfill=aged(300, status="deferred"))
    before = NOW - timedelta(days=90)
    for limit in (1, 2, 3, 9):
        found = enrichment.aged_profiles(operation, ALL, before, limit)
        assert names(operation, found) == ["a1", "a2", "a4"][:limit]
        with followed.connection() as assets:
            cohorts = listed.aged_cohorts(assets, ALL, before, limit)
        assert cohorts == sorted({MONDAY, TUESDAY, LAST} if limit > 2 else [MONDAY, TUESDAY][:limit])


def test_an_aged_profile_is_due_only_while_no_other_profile_is(
    operation: Connection, followed: FollowedDatabase
) -> None:
    settings = EntitySettings(instagram_backfill_enabled=True, profile_recheck_days=90)
    add(operation, "aged", MONDAY, profile_backfill=aged(91))

    def due(settings: EntitySettings = settings, **wanted: Any) -> list[date]:
        with followed.connection() as assets:
            return Backlog(assets, ALL).due_profiles(settings, NOW, Wanted(**wanted))

    assert due() == [MONDAY]
    assert due(only=[TUESDAY]) == due(profiles=0) == []
    assert due(settings.model_copy(update={"profile_recheck_days": 0})) == []
    assert due(settings.model_copy(update={"profile_recheck_days": 92})) == []
    add(operation, "later", TUESDAY, profile_backfill=PUT_OFF)
    assert due() == [MONDAY]
    add(operation, "new", TUESDAY)
    assert due() == [TUESDAY]
