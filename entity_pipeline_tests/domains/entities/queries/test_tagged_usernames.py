import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.domains.entities.logic.tagging import TaggedUsername
from entity_pipeline.domains.entities.logic.usernames import Username
from entity_pipeline.domains.entities.queries.tagged_usernames import (
    DayCounts,
    DayRecount,
    day_totals,
    day_window,
    recount_days,
    replace_day,
    totals_of,
)
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
FIRST = date(2026, 10, 1)
DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
IDS = [str(UUID(int=number)) for number in range(10)]


def tagged(
    username: str, posts: int = 1, at: datetime = NOON, samples: tuple[int, ...] = (1,)
) -> TaggedUsername:
    return TaggedUsername(Username(username), posts, at, at, [IDS[number] for number in samples])


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("select *, xmin from tagged_usernames order by day, username").fetchall()


def collect(connection: Connection, external_id: str, created_at: datetime, tags: Any) -> str:
    row = connection.execute(
        "insert into raw_posts (platform, external_id, created_at, platform_metadata) values ('instagram', %s, %s, %s) "
        "on conflict (platform, external_id) do update set platform_metadata = excluded.platform_metadata returning id",
        (external_id, created_at, json.dumps({"tagged_usernames": tags})),
    ).fetchone()
    assert row is not None
    return str(row[0])


def totals(connection: Connection, day: date = DAY) -> dict[str, tuple[str, Any]]:
    lines = b"".join(day_totals(connection, day)).decode().splitlines()
    columns = [line.split("\t") for line in lines]
    return {username: (first_day, json.loads(tagging)) for username, first_day, tagging in columns}


def test_a_day_holds_exactly_the_given_rows(assets: Connection) -> None:
    assert replace_day(assets, DAY, [tagged("nike"), tagged("puma"), tagged("fila")]) == DayCounts(3, 0, 0, 0)
    assert replace_day(assets, DAY, [tagged("nike"), tagged("puma", 2), tagged("kappa")]) == DayCounts(
        1, 1, 1, 1
    )
    assert [(row[1], row[2]) for row in rows(assets)] == [("kappa", 1), ("nike", 1), ("puma", 2)]


def test_replacing_a_day_with_itself_touches_no_row(assets: Connection) -> None:
    same = [tagged("nike", 3, samples=(1, 2, 3)), tagged("puma", samples=())]
    replace_day(assets, DAY, same)
    before = rows(assets)

    assert replace_day(assets, DAY, reversed(same)) == DayCounts(0, 0, 0, 2)
    assert rows(assets) == before


def test_other_days_are_left_alone(assets: Connection) -> None:
    replace_day(assets, DAY, [tagged("nike")])
    replace_day(assets, DAY + timedelta(days=1), [tagged("puma")])
    assert replace_day(assets, DAY, []) == DayCounts(0, 0, 1, 0)
    assert [row[1] for row in rows(assets)] == ["puma"]


def test_several_days_fit_in_one_transaction(assets: Connection) -> None:
    with assets.transaction():
        replace_day(assets, DAY, [tagged("nike")])
        replace_day(assets, DAY + timedelta(days=1), [tagged("nike")])
    assert len(rows(assets)) == 2


def test_a_replacement_that_fails_leaves_the_day_as_it_was(assets: Connection) -> None:
    replace_day(assets, DAY, [tagged("nike")])
    before = rows(assets)
    with pytest.raises(psycopg.errors.CheckViolation):
        replace_day(assets, DAY, [tagged("puma"), tagged("fila", posts=0)])
    assert rows(assets) == before


def test_concurrent_replacements_of_one_day_end_as_one_of_them(assets_db: ClonedDatabase) -> None:
    names = [f"account_{number}" for number in range(200)]
    versions = [[tagged(name, posts) for name in names[posts * 10 :]] for posts in range(1, 5)]
    start = Barrier(4)

    def replace(version: list[TaggedUsername]) -> None:
        with assets_db.connection() as connection:
            start.wait()
            for _ in range(5):
                replace_day(connection, DAY, random.sample(version, len(version)))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(replace, versions))
    with assets_db.connection() as connection:
        stored = [(row[1], row[2]) for row in rows(connection)]
    assert stored in [sorted((row.username, row.posts) for row in version) for version in versions]


def test_a_window_is_a_utc_day_and_the_first_has_no_start() -> None:
    assert day_window(DAY, FIRST) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    )
    assert day_window(FIRST, FIRST) == (None, datetime(2026, 10, 2, tzinfo=UTC))


def test_a_recount_reads_posts_once_and_writes_each_day(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        old = collect(reader, "old", datetime(2020, 1, 1, tzinfo=UTC), ["nike"])
        one = collect(reader, "one", NOON, ["Nike", "@nike", None])
        two = collect(reader, "two", NOON + timedelta(hours=1), "nike")
        collect(reader, "next", NOON + timedelta(days=2), ["puma"])

        done = list(recount_days(reader, writer, DAY, DAY + timedelta(days=2), first_partition=FIRST))
        assert [(day.day, day.posts, day.tags.tags, day.rows.inserted) for day in done] == [
            (DAY, 2, 1, 1),
            (DAY + timedelta(days=1), 0, 0, 0),
            (DAY + timedelta(days=2), 1, 1, 1),
        ]
        assert done[0].tags.bad_arrays == {"string": 1}
        assert rows(reader)[0][:6] == (DAY, "nike", 1, NOON, NOON, [UUID(one)])
        assert UUID(two) not in rows(reader)[0][5]

        (first,) = recount_days(reader, writer, FIRST, FIRST, first_partition=FIRST)
        assert (first.posts, first.rows.inserted) == (1, 1)
        assert rows(reader)[0][5] == [UUID(old)]


def test_a_second_recount_writes_nothing_and_a_lost_tag_is_deleted(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        collect(reader, "one", NOON, ["nike", "puma"])
        for expected in (DayCounts(2, 0, 0, 0), DayCounts(0, 0, 0, 2)):
            (done,) = recount_days(reader, writer, DAY, DAY, first_partition=FIRST)
            assert done.rows == expected
        collect(reader, "one", NOON, ["nike"])
        (done,) = recount_days(reader, writer, DAY, DAY, first_partition=FIRST)
        assert done.rows == DayCounts(0, 0, 1, 1)


def test_concurrent_recounts_end_with_what_the_posts_say(assets_db: ClonedDatabase) -> None:
    start = Barrier(3)

    def recount(number: int) -> None:
        with assets_db.connection() as reader, assets_db.connection() as writer:
            start.wait()
            for turn in range(6):
                collect(writer, f"post-{number}-{turn}", NOON, [f"account_{number}", "shared"])
                list(recount_days(reader, writer, DAY - timedelta(days=1), DAY, first_partition=FIRST))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(recount, range(3)))
    with assets_db.connection() as connection:
        assert [(row[1], row[2]) for row in rows(connection)] == [
            ("account_0", 6),
            ("account_1", 6),
            ("account_2", 6),
            ("shared", 18),
        ]


def test_a_recount_waits_for_another_one_that_has_read_the_day_already(assets_db: ClonedDatabase) -> None:
    next_day = DAY + timedelta(days=1)

    def recount(first: date, last: date) -> Iterator[DayRecount]:
        with assets_db.connection() as reader, assets_db.connection() as writer:
            yield from recount_days(reader, writer, first, last, first_partition=FIRST)

    with assets_db.connection() as collector, ThreadPoolExecutor(1) as threads:
        collect(collector, "one", NOON + timedelta(days=1), ["nike"])
        earlier = recount(DAY, next_day)
        next(earlier)
        collect(collector, "two", NOON + timedelta(days=1), ["nike"])
        later = threads.submit(lambda: list(recount(next_day, next_day)))
        with pytest.raises(TimeoutError):
            later.result(timeout=0.3)

        assert [day.posts for day in earlier] == [1]
        assert [day.posts for day in later.result()] == [2]
        assert [row[1:3] for row in rows(collector)] == [("nike", 2)]


def test_totals_go_over_all_days_and_keep_the_earliest_samples(assets: Connection) -> None:
    next_day = DAY + timedelta(days=1)
    replace_day(assets, next_day, [tagged("nike", 5, NOON + timedelta(days=1), (3, 4, 5)), tagged("puma")])
    replace_day(assets, DAY, [tagged("nike", 2, NOON, (2, 1)), tagged("fila", samples=())])

    assert totals(assets) == {
        "nike": (
            "2026-11-01",
            {
                "posts": 7,
                "first_tagged_at": "2026-11-01T12:00:00.000000Z",
                "last_tagged_at": "2026-11-02T12:00:00.000000Z",
                "sample_posts": [IDS[2], IDS[1], IDS[3]],
            },
        ),
        "fila": (
            "2026-11-01",
            {
                "posts": 1,
                "first_tagged_at": "2026-11-01T12:00:00.000000Z",
                "last_tagged_at": "2026-11-01T12:00:00.000000Z",
                "sample_posts": [],
            },
        ),
    }
    assert totals(assets, DAY + timedelta(days=5)) == {}


def test_totals_of_given_usernames_skip_those_tagged_nowhere(assets: Connection) -> None:
    replace_day(assets, DAY, [tagged("nike"), tagged("puma")])
    assert [line.split(b"\t")[0] for line in b"".join(totals_of(assets, ["puma", "gone"])).splitlines()] == [
        b"puma"
    ]
    assert list(totals_of(assets, [])) == []
