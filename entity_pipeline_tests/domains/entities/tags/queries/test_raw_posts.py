import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.domains.entities.tags.logic.tally import DayTally, seen_at
from entity_pipeline.domains.entities.tags.queries.raw_posts import (
    LATE_COMMIT_WINDOW,
    ChangeCursor,
    changed_days,
    count_without_a_day,
    days_with_posts,
    marks_by_day,
    posts_by_day,
    read_tagged_posts,
)
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIRST_DAY = date(2026, 1, 1)
NOTHING = json.dumps({})


def collect(
    connection: Connection,
    external_id: str,
    created_at: datetime = NOON,
    updated_at: datetime | None = None,
    metadata: str | None = '{"tagged_usernames": ["nike"]}',
) -> UUID:
    """Collect posts as the collector does: insert, or update a post that is known."""
    row = connection.execute(
        "insert into raw_posts (platform, external_id, created_at, updated_at, platform_metadata) "
        "values ('instagram', %s, %s, coalesce(%s, now()), %s) on conflict (platform, external_id) "
        "do update set updated_at = excluded.updated_at, platform_metadata = excluded.platform_metadata returning id",
        (external_id, created_at, updated_at, metadata),
    ).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def watch(
    connection: Connection, cursor: ChangeCursor, limit: int = 1_000
) -> tuple[list[date], ChangeCursor]:
    days, cursor = changed_days(connection, cursor, limit, first_day=FIRST_DAY)
    return days, ChangeCursor.from_json(cursor.to_json())


def test_only_posts_that_carry_the_key_are_read_oldest_first(assets: Connection) -> None:
    for number, metadata in enumerate([None, "null", NOTHING]):
        collect(assets, f"without-{number}", metadata=metadata)
    collect(assets, "null", metadata='{"tagged_usernames": null}')
    later = collect(
        assets, "later", NOON + timedelta(hours=1), metadata='{"tagged_usernames": {"a\\\\b": "\\t"}}'
    )
    empty = collect(assets, "empty", NOON, metadata='{"tagged_usernames": []}')

    posts = list(read_tagged_posts(assets, None, None))

    assert [seen_at(post.seen) for post in posts] == [(NOON, empty), (NOON + timedelta(hours=1), later)]
    assert [json.loads(post.tags) for post in posts] == [[], {"a\\b": "\t"}]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, 3),
        (NOON, NOON + timedelta(hours=1), 1),
        (NOON, None, 2),
        (None, NOON, 1),
        (NOON + timedelta(seconds=1), NOON + timedelta(hours=1), 0),
    ],
)
def test_a_window_has_its_start_and_not_its_end(
    assets: Connection, start: datetime | None, end: datetime | None, expected: int
) -> None:
    for hours in (-1, 0, 1):
        collect(assets, f"post-{hours}", NOON + timedelta(hours=hours))

    assert len(list(read_tagged_posts(assets, start, end))) == expected
    assert sum(posts_by_day(assets, start, end, first_day=FIRST_DAY).values()) == expected


def test_days_are_utc_whatever_the_time_zone_of_the_session(assets: Connection) -> None:
    collect(assets, "late", datetime(2026, 11, 1, 23, 30, tzinfo=UTC))
    collect(assets, "early", datetime(2026, 11, 3, 0, 30, tzinfo=UTC))
    collect(assets, "ancient", datetime(2019, 5, 5, tzinfo=UTC), metadata=None)
    with assets.transaction():
        assets.execute("set local timezone to 'Asia/Seoul'")
        days = days_with_posts(assets, FIRST_DAY)
        counts = posts_by_day(assets, None, None, first_day=FIRST_DAY)
        posts = list(read_tagged_posts(assets, None, None))
        changed, _ = watch(assets, ChangeCursor())

    assert days == [FIRST_DAY, DAY, DAY + timedelta(days=2)]
    assert counts == dict.fromkeys(days, 1)
    assert [seen_at(post.seen)[0].isoformat() for post in posts] == [
        "2026-11-01T23:30:00+00:00",
        "2026-11-03T00:30:00+00:00",
    ]
    assert changed == days


def test_posts_that_exchange_their_tags_change_the_mark_of_their_day(assets: Connection) -> None:
    names = [f"name_{number}" for number in range(60)]
    for name in names:
        collect(assets, name, metadata=json.dumps({"tagged_usernames": [name]}))
    seen = set()
    for one, other in zip(names[::2], names[1::2], strict=True):
        for post, tag in ((one, other), (other, one)):
            collect(assets, post, metadata=json.dumps({"tagged_usernames": [tag]}))
        seen.add(marks_by_day(assets, None, None, first_day=FIRST_DAY)[DAY])
    assert len(seen) == 30
    assert sum(post.mark for post in read_tagged_posts(assets, None, None)) in seen


def test_an_empty_table_has_no_days(assets: Connection) -> None:
    assert days_with_posts(assets, FIRST_DAY) == []
    assert watch(assets, ChangeCursor()) == ([], ChangeCursor())


def test_a_day_is_named_once_for_each_change(assets: Connection) -> None:
    collect(assets, "one")
    days, cursor = watch(assets, ChangeCursor())
    assert days == [DAY]
    assert watch(assets, cursor)[0] == []

    collect(assets, "one")
    days, cursor = watch(assets, cursor)
    assert days == [DAY]

    collect(assets, "two", NOON + timedelta(days=1))
    days, cursor = watch(assets, cursor)
    assert days == [DAY + timedelta(days=1)]
    assert watch(assets, cursor)[0] == []


def test_a_transaction_that_commits_late_is_not_lost(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as slow, assets_db.connection() as watcher:
        with slow.transaction():
            collect(slow, "slow", NOON)
            collect(watcher, "quick", NOON + timedelta(days=1))
            days, cursor = watch(watcher, ChangeCursor())
            assert days == [DAY + timedelta(days=1)]
            assert watch(watcher, cursor)[0] == []
        days, cursor = watch(watcher, cursor)
        assert days == [DAY]
        assert watch(watcher, cursor)[0] == []


def test_a_late_row_of_a_day_that_is_already_known_names_the_day_again(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as slow, assets_db.connection() as watcher:
        with slow.transaction():
            collect(slow, "slow")
            collect(watcher, "quick")
            _, cursor = watch(watcher, ChangeCursor())
        assert watch(watcher, cursor)[0] == [DAY]


def test_old_rows_are_settled_and_recent_ones_are_kept_in_view(assets: Connection) -> None:
    old = collect(assets, "old", updated_at=NOON)
    _, cursor = watch(assets, ChangeCursor())
    assert cursor == ChangeCursor((NOON, old), (NOON, old), {})

    collect(assets, "recent")
    _, cursor = watch(assets, cursor)
    assert cursor.head[0] - cursor.settled[0] <= LATE_COMMIT_WINDOW
    assert set(cursor.recent) == {DAY}


def test_ageing_out_of_the_window_is_not_a_change(assets: Connection) -> None:
    almost = datetime.now(UTC) - LATE_COMMIT_WINDOW + timedelta(seconds=0.3)
    ageing = collect(assets, "ageing", updated_at=almost)
    days, cursor = watch(assets, ChangeCursor())
    assert (days, set(cursor.recent)) == ([DAY], {DAY})

    time.sleep(0.4)
    days, cursor = watch(assets, cursor)
    assert (days, cursor) == ([], ChangeCursor((almost, ageing), (almost, ageing), {}))


def test_more_rows_than_the_limit_are_read_in_steps_even_if_all_share_one_time(assets: Connection) -> None:
    for number in range(7):
        collect(assets, f"post-{number}", NOON + timedelta(days=number), updated_at=NOON + timedelta(days=9))
    cursor, seen = ChangeCursor(), []
    for _ in range(4):
        days, cursor = watch(assets, cursor, limit=2)
        assert len(days) <= 2
        seen += days

    assert sorted(seen) == [DAY + timedelta(days=number) for number in range(7)]
    assert watch(assets, cursor)[0] == []


def test_one_large_recent_transaction_is_read_in_steps_too(assets: Connection) -> None:
    with assets.transaction():
        for number in range(7):
            collect(assets, f"post-{number}", NOON + timedelta(days=number))
    cursor, seen = ChangeCursor(), set()
    for _ in range(4):
        days, cursor = watch(assets, cursor, limit=2)
        seen.update(days)

    assert len(seen) == 7
    assert watch(assets, cursor)[0] == []


def test_a_row_from_the_future_hides_nothing(assets: Connection) -> None:
    collect(assets, "future", updated_at=datetime(2099, 1, 1, tzinfo=UTC))
    _, cursor = watch(assets, ChangeCursor())
    collect(assets, "now", NOON + timedelta(days=1))

    days, cursor = watch(assets, cursor)
    assert days == [DAY + timedelta(days=1)]
    assert watch(assets, cursor)[0] == []


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"head": []}', '{"head": 1, "settled": 2, "recent": 3}']
)
def test_a_cursor_that_can_not_be_read_starts_over(text: str | None) -> None:
    assert ChangeCursor.from_json(text) == ChangeCursor()


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"tagged_usernames": ["nike", "@Puma"]}, ["nike", "@Puma"]),
        ({"tagged_usernames": "nike"}, "nike"),
        ({"tagged_usernames": None}, []),
        ({}, []),
    ],
)
def test_metadata_that_was_encoded_twice_is_understood(
    assets: Connection, metadata: dict[str, Any], found: Any
) -> None:
    collect(assets, "twice", metadata=json.dumps(json.dumps(metadata)))
    (read,) = read_tagged_posts(assets, None, None)
    assert json.loads(read.tags) == found


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        (["nike"], "metadata_array"),
        ([], "metadata_array"),
        ("nike", "metadata_string"),
        ("[1]", "metadata_string"),
        (json.dumps({"tagged_usernames": ["\ud800"]}), "metadata_string"),
        ('{"tagged_usernames": ' + "[" * 300 + "]" * 300 + "}", "metadata_string"),
        (json.dumps(json.dumps({"tagged_usernames": ["nike"]})), "metadata_string"),
        (7, "metadata_number"),
        (False, "metadata_boolean"),
    ],
)
def test_metadata_that_is_no_object_is_counted_by_its_kind(
    assets: Connection, metadata: Any, kind: str
) -> None:
    collect(assets, "odd", metadata=json.dumps(metadata))
    collect(assets, "usual")
    tally = DayTally(DAY)
    for read in read_tagged_posts(assets, None, None):
        tally.add(read)
    assert tally.counts.bad_arrays == {kind: 1}
    assert [username for username, _ in tally.rows()] == ["nike"]
    assert marks_by_day(assets, None, None, first_day=FIRST_DAY) == {DAY: tally.counts.mark}


ODD_TIMES = ["infinity", "-infinity", "0044-03-15 BC", "294276-12-31", "10000-01-01", "9999-12-31"]


@pytest.mark.parametrize("at", ODD_TIMES)
def test_a_post_whose_time_is_no_day_is_counted_and_left_out(assets: Connection, at: str) -> None:
    collect(assets, "odd", at)  # type: ignore[arg-type]
    collect(assets, "usual")
    usual = {DAY: 1}
    assets.execute("set statement_timeout = '5s'")
    assert days_with_posts(assets, FIRST_DAY) == [DAY]
    assert posts_by_day(assets, None, None, first_day=FIRST_DAY) == usual
    assert len(list(read_tagged_posts(assets, None, None))) == 1
    assert marks_by_day(assets, None, None, first_day=FIRST_DAY).keys() == usual.keys()
    assert watch(assets, ChangeCursor())[0] == [DAY]
    assert count_without_a_day(assets) == 1


@pytest.mark.parametrize("at", [*ODD_TIMES, "2999-01-01"])
def test_a_post_whose_update_is_no_time_hides_no_other_post(assets: Connection, at: str) -> None:
    collect(assets, "odd", updated_at=at)  # type: ignore[arg-type]
    collect(assets, "usual", NOON + timedelta(days=1))
    days, cursor = watch(assets, ChangeCursor())
    assert DAY + timedelta(days=1) in days
    collect(assets, "next", NOON + timedelta(days=2))
    assert DAY + timedelta(days=2) in watch(assets, cursor)[0]
    assert days_with_posts(assets, FIRST_DAY)[0] == DAY
