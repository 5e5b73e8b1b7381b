import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.core.failures import (
    ConfigurationFailure,
    DatabaseUnavailable,
    NotConfigured,
    ObjectRefused,
    PipelineFailure,
    TransientFailure,
)
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.picture import Picture
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.reasons import Reason
from entity_pipeline.domains.entities.profiles.backfill import MAX_ATTEMPTS, Backfiller
from entity_pipeline.domains.entities.profiles.pictures import GIVE_UP_AFTER, ProfilePictures
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.database import FlakyDatabase
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.fakes.object_store import FakeObjectStore

URL = "https://scontent.cdninstagram.com/v/1.jpg?oe=1"
PNG = b"picture"
SHA256 = hashlib.sha256(PNG).hexdigest()
PICTURE = Result(Finding.FOUND, Picture(PNG, "image/png", SHA256))
DOWN = TransientFailure("R2 is down.")


Looked = Result[InstagramProfile]


def found(username: str = "madeup", *, pk: str = "77", **fields: Any) -> Looked:
    values = {"display_name": "Made Up", "bio": "글\nsecond line", "picture_url": URL} | fields
    profile = InstagramProfile(instagram_id=pk, username=username, **values)
    return Result(Finding.FOUND, profile, source="anonymous:direct")


def gone(canary: bool | None) -> Looked:
    return Result(Finding.NOT_FOUND, source="anonymous:direct", canary=canary)


def refused(seat: SeatOutcome) -> Looked:
    return Result(Finding.UNANSWERED, seat=seat, detail="HTTP")


def add(database: ClonedDatabase, username: str = "madeup", **columns: Any) -> UUID:
    metadata = {"note": "a person's", "entity_enrichment": {"cohort": "2026-03-02"}}
    with database.connection() as connection:
        row = connection.execute(
            "insert into instagram_accounts (username, display_name, bio, metadata) values (%s, %s, %s, %s) "
            "returning id",
            [username, columns.get("display_name"), columns.get("bio"), Jsonb(metadata)],
        ).fetchone()
    assert row is not None
    account: UUID = row[0]
    return account


def row_of(database: ClonedDatabase, account: UUID) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The account's three columns, its backfill, and the version of the row."""
    with database.connection() as connection:
        row = connection.execute(
            "select display_name, bio, profile_image_url, metadata, xmin::text from instagram_accounts "
            "where id = %s",
            [account],
        ).fetchone()
    assert row is not None
    assert row[3]["note"] == "a person's"
    columns = dict(zip(("display_name", "bio", "profile_image_url"), row[:3], strict=True))
    return columns, row[3]["entity_enrichment"].get("profile_backfill", {}), row[4]


def backfiller(
    database: Any, instagram: FakeInstagram, pictures: FakeObjectStore | None = None
) -> Backfiller:
    return Backfiller(
        operation_db=database,
        instagram=instagram,
        pictures=ProfilePictures(instagram, pictures or FakeObjectStore()),
        deadline=datetime.now(UTC) + timedelta(minutes=1),
    )


def test_a_profile_fills_the_empty_columns_and_its_picture_is_stored(operation_db: ClonedDatabase) -> None:
    account, store = add(operation_db), FakeObjectStore()
    work = backfiller(operation_db, FakeInstagram({"madeup": found()}, {URL: PICTURE}), store)
    ended = work.backfill(account)
    assert isinstance(ended, Result)
    assert ended.finding is Finding.FOUND
    columns, backfill, _ = row_of(operation_db, account)
    ((key, stored),) = store.objects.items()
    assert stored == (PNG, "image/png")
    assert SHA256 in key
    assert columns == {
        "display_name": "Made Up",
        "bio": "글\nsecond line",
        "profile_image_url": f"https://img.example/{key}",
    }
    assert (backfill["status"], backfill["instagram_id"], backfill["attempts"]) == ("found", "77", 1)
    assert set(backfill["fields_written"]) == set(columns)
    assert backfill["image"] == {
        "key": key,
        "url": f"https://img.example/{key}",
        "sha256": SHA256,
        "bytes": len(PNG),
        "content_type": "image/png",
    }
    assert work.pictures.outcomes == {"stored": 1}


def test_what_a_person_wrote_is_never_overwritten(operation_db: ClonedDatabase) -> None:
    account = add(operation_db, display_name="Theirs")
    backfiller(operation_db, FakeInstagram({"madeup": found(picture_url=None)})).backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert (columns["display_name"], columns["bio"]) == ("Theirs", "글\nsecond line")
    assert set(backfill["fields_written"]) == {"bio"}


def test_an_edit_made_while_instagram_answers_is_kept(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)

    def edit(username: str) -> None:
        with operation_db.connection() as connection:
            connection.execute("update instagram_accounts set bio = 'typed just now'")

    backfiller(operation_db, FakeInstagram({"madeup": found(picture_url=None)}, meanwhile=edit)).backfill(
        account
    )
    columns, _, _ = row_of(operation_db, account)
    assert (columns["bio"], columns["display_name"]) == ("typed just now", "Made Up")


def test_a_second_look_replaces_what_is_still_ours_and_nothing_else(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    seen = FakeInstagram(
        {"madeup": [found(picture_url=None), found(picture_url=None, bio="new", display_name="N")]}
    )
    work = backfiller(operation_db, seen)
    work.backfill(account)
    with operation_db.connection() as connection:
        connection.execute("update instagram_accounts set display_name = ''")
    work.backfill(account)
    columns, _, _ = row_of(operation_db, account)
    assert (columns["bio"], columns["display_name"]) == ("new", "")


def test_a_name_that_now_belongs_to_another_account_gives_nothing(operation_db: ClonedDatabase) -> None:
    account, store = add(operation_db), FakeObjectStore()
    seen = FakeInstagram(
        {"madeup": [found(picture_url=None), found(pk="78", bio="another's")]}, {URL: PICTURE}
    )
    work = backfiller(operation_db, seen, store)
    work.backfill(account)
    work.backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert (columns["bio"], backfill["outcome"], backfill["instagram_id"]) == (
        "글\nsecond line",
        "reassigned",
        "77",
    )
    assert (store.puts, seen.downloaded) == (0, [])


def test_a_picture_that_is_refused_leaves_the_rest_of_the_profile(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    work = backfiller(
        operation_db, FakeInstagram({"madeup": found()}, {URL: Result(Finding.REFUSED, detail="expired")})
    )
    work.backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert (columns["bio"], columns["profile_image_url"]) == ("글\nsecond line", None)
    assert (backfill["status"], backfill["image"]) == ("found", None)
    assert work.pictures.outcomes == {"refused:expired": 1}


NO_BUCKET = ConfigurationFailure("No such bucket.")


@pytest.mark.parametrize(
    ("failure", "tried"), [(DOWN, GIVE_UP_AFTER), (NO_BUCKET, 1)], ids=["away", "refuses everything"]
)
def test_a_store_that_stores_nothing_is_given_up_on_and_profiles_go_on(
    operation_db: ClonedDatabase, failure: PipelineFailure, tried: int
) -> None:
    names = [f"madeup{number}" for number in range(5)]
    accounts = [add(operation_db, name) for name in names]
    store = FakeObjectStore(*[failure] * 5)
    seen = FakeInstagram({name: found(name) for name in names}, {URL: PICTURE})
    work = backfiller(operation_db, seen, store)
    outcomes = [work.backfill(account) for account in accounts]
    assert [ended.word for ended in outcomes if isinstance(ended, Result)] == ["found"] * 5
    assert store.puts == len(seen.downloaded) == tried
    assert work.pictures.outcomes == {f"not_stored:{failure}": tried, "left_out:storage_is_down": 5 - tried}
    assert work.pictures.held_because == str(failure)
    for account in accounts:
        columns, backfill, _ = row_of(operation_db, account)
        assert (columns["display_name"], columns["profile_image_url"]) == ("Made Up", None)
        assert (backfill["status"], backfill["outcome"]) == ("deferred", "found")
        assert backfill["next_attempt_at"] > backfill["fetched_at"]


def test_a_picture_that_the_store_does_not_take_is_one_bad_picture(operation_db: ClonedDatabase) -> None:
    accounts = [add(operation_db, name) for name in ("a", "b")]
    store = FakeObjectStore(ObjectRefused("Too large."), None)
    seen = FakeInstagram({name: found(name) for name in ("a", "b")}, {URL: PICTURE})
    work = backfiller(operation_db, seen, store)
    for account in accounts:
        work.backfill(account)
    assert work.pictures.outcomes == {"not_stored:Too large.": 1, "stored": 1}
    assert work.pictures.held_because == ""
    assert [row_of(operation_db, account)[1]["status"] for account in accounts] == ["found", "found"]


def test_a_picture_that_may_not_be_asked_for_now_is_fetched_later(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    seen = FakeInstagram({"madeup": found()}, {URL: Deferred(Reason("p", "ledger_unusable"))})
    work = backfiller(operation_db, seen)
    work.backfill(account)
    assert work.pictures.outcomes == {"not_sent:ledger_unusable": 1}
    assert row_of(operation_db, account)[1]["status"] == "deferred"


def test_a_picture_that_could_not_be_stored_is_fetched_again_later(operation_db: ClonedDatabase) -> None:
    account = add(operation_db, "madeup")
    seen = FakeInstagram({"madeup": found("madeup")}, {URL: PICTURE})
    store = FakeObjectStore(DOWN, None)
    work = backfiller(operation_db, seen, store)
    work.backfill(account)
    work.backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert columns["profile_image_url"] == f"https://img.example/{backfill['image']['key']}"
    assert (backfill["status"], backfill["attempts"], backfill["next_attempt_at"]) == ("found", 2, None)


def test_a_picture_that_can_never_be_stored_uses_up_the_same_attempts(
    operation_db: ClonedDatabase,
) -> None:
    account = add(operation_db, "madeup")
    seen = FakeInstagram({"madeup": found("madeup")}, {URL: PICTURE})
    for _ in range(MAX_ATTEMPTS):
        backfiller(operation_db, seen, FakeObjectStore(DOWN)).backfill(account)
    _, backfill, _ = row_of(operation_db, account)
    assert (backfill["status"], backfill["attempts"], backfill["next_attempt_at"]) == ("found", 5, None)


def test_without_an_object_store_no_picture_is_waited_for(operation_db: ClonedDatabase) -> None:
    account = add(operation_db, "madeup")
    seen = FakeInstagram({"madeup": found("madeup")}, {URL: PICTURE})
    work = backfiller(operation_db, seen, FakeObjectStore(NotConfigured("R2_BUCKET is empty.")))
    work.backfill(account)
    assert work.pictures.outcomes == {"not_stored:R2_BUCKET is empty.": 1}
    assert row_of(operation_db, account)[1]["status"] == "found"


def test_one_picture_that_cannot_be_stored_does_not_stop_the_next(operation_db: ClonedDatabase) -> None:
    accounts = [add(operation_db, name) for name in ("a", "b")]
    store = FakeObjectStore(DOWN, None)
    seen = FakeInstagram({"a": found("a"), "b": found("b")}, {URL: PICTURE})
    work = backfiller(operation_db, seen, store)
    for account in accounts:
        work.backfill(account)
    assert work.pictures.outcomes == {"not_stored:R2 is down.": 1, "stored": 1}


def test_what_was_not_sent_is_not_written_down(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    before = row_of(operation_db, account)
    deferred = Deferred(Reason("p", "windows_full"), datetime.now(UTC))
    assert backfiller(operation_db, FakeInstagram({"madeup": deferred})).backfill(account) == deferred
    assert row_of(operation_db, account) == before


@pytest.mark.parametrize("canary", [True, False, None])
def test_what_the_canary_said_is_remembered_with_the_absence(
    operation_db: ClonedDatabase, canary: bool | None
) -> None:
    account = add(operation_db)
    backfiller(operation_db, FakeInstagram({"madeup": gone(canary)})).backfill(account)
    _, backfill, _ = row_of(operation_db, account)
    assert backfill["status"] == "deferred"
    assert [entry["canary"] for entry in backfill["history"]] == [canary]


def test_a_block_that_begins_after_the_canary_was_seen_is_not_believed(operation_db: ClonedDatabase) -> None:
    accounts = [add(operation_db, name) for name in ("gone", "there")]
    now = [datetime(2026, 11, 20, tzinfo=UTC)]
    for of_there in (gone(False), gone(True)):
        work = backfiller(operation_db, FakeInstagram({"gone": gone(True), "there": of_there}))
        work.clock = lambda: now[0]
        for account in accounts:
            work.backfill(account)
        now[0] += timedelta(hours=6)
    statuses = [row_of(operation_db, account)[1]["status"] for account in accounts]
    assert statuses == ["not_found", "deferred"]


ELSE = [
    *(refused(seat) for seat in SeatOutcome if seat not in (SeatOutcome.OK, SeatOutcome.UNCLEAR)),
    *(
        Result[InstagramProfile](finding)
        for finding in (Finding.DRIFT, Finding.BUDGET, Finding.PRIVATE, Finding.RESTRICTED)
    ),
]


@pytest.mark.parametrize("result", ELSE, ids=lambda result: result.word)
def test_every_other_outcome_is_noted_and_comes_again_later(
    operation_db: ClonedDatabase, result: Looked
) -> None:
    account = add(operation_db, bio="theirs")
    backfiller(operation_db, FakeInstagram({"madeup": result})).backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert columns["bio"] == "theirs"
    assert (backfill["status"], backfill["outcome"]) == ("deferred", result.word)
    assert datetime.fromisoformat(backfill["next_attempt_at"]) > datetime.now(UTC)


def test_a_fifth_failed_look_is_the_last(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    work = backfiller(operation_db, FakeInstagram({"madeup": refused(SeatOutcome.UPSTREAM)}))
    statuses = []
    for _ in range(5):
        work.backfill(account)
        statuses.append(row_of(operation_db, account)[1]["status"])
    assert statuses == ["deferred"] * 4 + ["failed"]


def test_a_missing_row_and_a_name_that_is_not_a_handle_are_not_looked_at(
    operation_db: ClonedDatabase,
) -> None:
    seen = FakeInstagram()
    work = backfiller(operation_db, seen)
    assert work.backfill(uuid4()) is None
    assert work.backfill(add(operation_db, "no handle")) is None
    assert seen.looked_at == []


def delete_row(database: ClonedDatabase) -> Callable[[str], None]:
    def delete(username: str) -> None:
        with database.connection() as connection:
            connection.execute("delete from instagram_accounts")

    return delete


def test_a_row_that_is_deleted_while_instagram_answers_is_not_created_again(
    operation_db: ClonedDatabase,
) -> None:
    account = add(operation_db)
    seen = FakeInstagram({"madeup": found(picture_url=None)}, meanwhile=delete_row(operation_db))
    assert backfiller(operation_db, seen).backfill(account) is not None
    with operation_db.connection() as connection:
        assert connection.execute("select count(*) from instagram_accounts").fetchone() == (0,)


def test_metadata_that_cannot_hold_the_result_is_left_as_it_is(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)

    def spoil(username: str) -> None:
        with operation_db.connection() as connection:
            connection.execute("update instagram_accounts set metadata = '[1]'")

    backfiller(operation_db, FakeInstagram({"madeup": found(picture_url=None)}, meanwhile=spoil)).backfill(
        account
    )
    with operation_db.connection() as connection:
        row = connection.execute("select metadata, bio from instagram_accounts").fetchone()
    assert row == ([1], None)


def test_a_database_that_is_away_for_a_moment_costs_no_second_look(operation_db: ClonedDatabase) -> None:
    account, seen = add(operation_db), FakeInstagram({"madeup": found(picture_url=None)})
    away = DatabaseUnavailable("away")
    backfiller(FlakyDatabase(operation_db, {1: away, 3: away}), seen).backfill(account)
    assert row_of(operation_db, account)[1]["status"] == "found"
    assert seen.looked_at == ["madeup"]


@pytest.mark.parametrize(
    "rule",
    [
        "alter table instagram_accounts add check (length(bio) < 5)",
        "alter table instagram_accounts alter bio type varchar(4)",
        "create function no_bio() returns trigger language plpgsql as "
        "$$ begin if new.bio is not null then raise 'no bio here'; end if; return new; end $$; "
        "create trigger no_bio before update on instagram_accounts for each row execute function no_bio()",
    ],
    ids=["check", "length", "trigger"],
)
def test_a_rule_of_the_catalog_that_refuses_a_field_stops_nothing(
    operation_db: ClonedDatabase, rule: str
) -> None:
    accounts = [add(operation_db, name) for name in ("a", "b")]
    with operation_db.connection() as connection:
        connection.execute(rule)
    seen = FakeInstagram({name: found(name, picture_url=None) for name in ("a", "b")})
    work = backfiller(operation_db, seen)
    for account in accounts:
        work.backfill(account)
        columns, backfill, _ = row_of(operation_db, account)
        assert columns == {"display_name": None, "bio": None, "profile_image_url": None}
        assert (backfill["status"], backfill["fields_written"]) == ("found", {})
    assert work.columns_refused == 2
