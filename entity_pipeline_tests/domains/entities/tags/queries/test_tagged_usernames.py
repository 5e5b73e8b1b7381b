import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise, product
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.domains.entities.tags.logic import tally as tagging
from entity_pipeline.domains.entities.tags.logic.tally import DayTally, TaggedPost, seen_in
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import (
    DayCounts,
    DayRecount,
    day_window,
    names_on,
    recount_days,
    replace_day,
    run_totals,
    totals_of,
)
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
FIRST = date(2026, 10, 1)
DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
IDS = [str(UUID(int=number)) for number in range(10)]


def tallied(*posts: tuple[int, datetime, list[str]], day: date = DAY) -> Iterator[DayTally]:
    """One piece: posts by number, moment and usernames, in order."""
    tally = DayTally(day)
    for number, at, usernames in posts:
        tally.add(TaggedPost(seen_in(at, UUID(int=number)), json.dumps(usernames)))
    yield tally


def tagged(*usernames: str, day: date = DAY) -> Iterator[DayTally]:
    """One post that tags all of them."""
    return tallied((1, NOON, list(usernames)), day=day)


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


def totals(
    connection: Connection, first: date = DAY, last: date | None = None
) -> dict[str, tuple[str, str, Any]]:
    days = [first + timedelta(days=nth) for nth in range(((last or first) - first).days + 1)]
    lines = b"".join(run_totals(connection, days)).decode().splitlines()
    columns = [line.split("\t") for line in lines]
    return {name: (run_day, first_day, json.loads(tags)) for name, run_day, first_day, tags in columns}


def test_a_day_holds_exactly_the_given_rows(assets: Connection) -> None:
    assert replace_day(assets, DAY, tagged("nike", "puma", "fila")) == DayCounts(3, 0, 0, 0)
    more = tallied((1, NOON, ["nike", "puma"]), (2, NOON, ["puma", "kappa"]))
    assert replace_day(assets, DAY, more) == DayCounts(1, 1, 1, 1)
    assert [row[1:3] for row in rows(assets)] == [("kappa", 1), ("nike", 1), ("puma", 2)]


def test_a_row_has_the_count_the_first_and_last_time_and_the_three_earliest_posts(
    assets: Connection,
) -> None:
    times = [NOON + timedelta(microseconds=number) for number in range(5)]
    posts = [
        (number, at, ["five", "four", "three", "two", "one"][number:]) for number, at in enumerate(times)
    ]
    replace_day(assets, DAY, tallied(*posts))
    assert {row[1]: row[2:6] for row in rows(assets)} == {
        "five": (1, NOON, NOON, [UUID(int=0)]),
        "four": (2, NOON, times[1], [UUID(int=0), UUID(int=1)]),
        "three": (3, NOON, times[2], [UUID(int=0), UUID(int=1), UUID(int=2)]),
        "two": (4, NOON, times[3], [UUID(int=0), UUID(int=1), UUID(int=2)]),
        "one": (5, NOON, times[4], [UUID(int=0), UUID(int=1), UUID(int=2)]),
    }


@pytest.mark.parametrize("had_rows", [False, True])
def test_pieces_of_a_day_are_put_together(assets: Connection, had_rows: bool) -> None:
    if had_rows:
        replace_day(assets, DAY, tagged("nike", "gone"))
    pieces = [tallied((nth, NOON + timedelta(minutes=nth), ["nike", f"name_{nth}"])) for nth in range(5)]
    done = replace_day(assets, DAY, (tally for piece in pieces for tally in piece))

    assert done == (DayCounts(5, 1, 1, 0) if had_rows else DayCounts(6, 0, 0, 0))
    nike = rows(assets)[-1]
    assert nike[1:6] == (
        "nike",
        5,
        NOON,
        NOON + timedelta(minutes=4),
        [UUID(int=number) for number in range(3)],
    )


@pytest.mark.parametrize("had_rows", [False, True])
def test_the_samples_are_the_earliest_posts_however_the_pieces_divide_them(
    assets: Connection, had_rows: bool
) -> None:
    for sizes in product(range(4), repeat=3):
        assets.execute("truncate tagged_usernames")
        if had_rows:
            replace_day(assets, DAY, tagged("nike", "gone"))
        posts = [(nth, NOON + timedelta(minutes=nth), ["nike"]) for nth in range(2, sum(sizes) + 2)]
        pieces = [tallied(*posts[start:end]) for start, end in pairwise(accumulate(sizes, initial=0))]
        replace_day(assets, DAY, (tally for piece in pieces for tally in piece))
        assert [row[2:6] for row in rows(assets)] == [
            (len(posts), posts[0][1], posts[-1][1], [UUID(int=nth) for nth, *_ in posts[:3]])
            for _ in posts[:1]
        ]


def test_the_same_day_again_writes_nothing(assets: Connection) -> None:
    posts = [(1, NOON, ["nike", "puma"]), (2, NOON, ["nike"])]
    replace_day(assets, DAY, tallied(*posts))
    before = rows(assets)
    assert replace_day(assets, DAY, tallied(*posts)) == DayCounts(0, 0, 0, 2)
    assert rows(assets) == before


def test_other_days_are_left_alone(assets: Connection) -> None:
    replace_day(assets, DAY, tagged("nike"))
    replace_day(assets, DAY + timedelta(days=1), tagged("puma"))
    assert replace_day(assets, DAY, []) == DayCounts(0, 0, 1, 0)
    assert [row[1] for row in rows(assets)] == ["puma"]


@pytest.mark.parametrize("again", [False, True])
def test_a_transaction_around_it_leaves_no_table_behind(assets: Connection, again: bool) -> None:
    with assets.transaction():
        replace_day(assets, DAY, tagged("nike"))
        replace_day(assets, DAY if again else DAY + timedelta(days=1), tagged("nike"))
    assert len(rows(assets)) == 2 - again


def test_a_replacement_that_fails_leaves_the_day_as_it_was(assets: Connection) -> None:
    replace_day(assets, DAY, tagged("nike"))
    before = rows(assets)

    def breaking() -> Iterator[DayTally]:
        yield from tagged("puma")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        replace_day(assets, DAY, breaking())
    assert rows(assets) == before


def test_concurrent_replacements_of_one_day_end_as_one_of_them(assets_db: ClonedDatabase) -> None:
    names = [f"account_{number}" for number in range(200)]
    start = Barrier(4)

    def replace(version: int) -> None:
        with assets_db.connection() as connection:
            start.wait()
            for _ in range(5):
                posts = [(number, NOON, names[version * 10 :]) for number in range(version)]
                replace_day(connection, DAY, tallied(*posts))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(replace, range(1, 5)))
    with assets_db.connection() as connection:
        stored = [(row[1], row[2]) for row in rows(connection)]
    assert stored in [sorted((name, version) for name in names[version * 10 :]) for version in range(1, 5)]


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


def test_a_day_too_large_for_one_piece_comes_out_the_same(
    assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        for number in range(9):
            collect(
                reader, f"post-{number}", NOON + timedelta(minutes=number), ["nike", f"name_{number % 4}"]
            )
        for day in (DAY, DAY + timedelta(days=2)):
            collect(reader, f"post-{day}", datetime(day.year, day.month, day.day, 1, tzinfo=UTC), ["nike"])
        list(recount_days(reader, writer, DAY, DAY + timedelta(days=2), first_partition=FIRST))
        before = rows(reader)
        reader.execute("delete from tagged_days")
        monkeypatch.setattr(tagging, "PIECE_USERNAMES", 2)
        (first, _, third) = recount_days(reader, writer, DAY, DAY + timedelta(days=2), first_partition=FIRST)
        assert (first.tags.posts, first.tags.tags, third.tags.posts) == (10, 19, 1)
        assert first.rows == DayCounts(0, 0, 0, 5)
        assert rows(reader) == before


def test_a_recount_that_is_broken_off_lets_go_of_its_days(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        for day in range(3):
            collect(reader, f"post-{day}", NOON + timedelta(days=day), ["nike"])
        recount = recount_days(reader, writer, DAY, DAY + timedelta(days=2), first_partition=FIRST)
        next(recount)
        recount.close()
        assert [row[1] for row in rows(writer)] == ["nike"]
        assert len(list(recount_days(reader, writer, DAY, DAY, first_partition=FIRST))) == 1


def test_totals_go_over_all_days_and_keep_the_earliest_samples(assets: Connection) -> None:
    next_day = DAY + timedelta(days=1)
    later = NOON + timedelta(days=1)
    of_next_day = [(number, later, ["nike", "puma"][: 1 + (number == 3)]) for number in (3, 4, 5)]
    replace_day(assets, next_day, tallied(*of_next_day, day=next_day))
    replace_day(assets, DAY, tallied((2, NOON, ["nike"]), (1, NOON, ["nike", "fila"])))

    nike = {
        "posts": 5,
        "first_tagged_at": "2026-11-01T12:00:00.000000Z",
        "last_tagged_at": "2026-11-02T12:00:00.000000Z",
        "sample_posts": [IDS[2], IDS[1], IDS[3]],
    }
    fila = {
        "posts": 1,
        "first_tagged_at": "2026-11-01T12:00:00.000000Z",
        "last_tagged_at": "2026-11-01T12:00:00.000000Z",
        "sample_posts": [IDS[1]],
    }
    assert totals(assets) == {"nike": (str(DAY), str(DAY), nike), "fila": (str(DAY), str(DAY), fila)}
    assert totals(assets, next_day).keys() == {"nike", "puma"}
    assert totals(assets, next_day)["nike"] == (str(next_day), str(DAY), nike)
    whole = totals(assets, DAY, next_day)
    assert {name: days[:2] for name, days in whole.items()} == {
        "nike": (str(DAY), str(DAY)),
        "fila": (str(DAY), str(DAY)),
        "puma": (str(next_day), str(next_day)),
    }
    assert totals(assets, DAY + timedelta(days=5)) == {}


def test_a_username_without_samples_has_an_empty_list(assets: Connection) -> None:
    assets.execute("insert into tagged_usernames values (%s, 'nike', 1, now(), now())", [DAY])
    assert totals(assets)["nike"][2]["sample_posts"] == []


def test_totals_of_given_usernames_skip_those_tagged_nowhere(assets: Connection) -> None:
    replace_day(assets, DAY, tagged("nike", "puma"))
    found = b"".join(totals_of(assets, DAY, ["puma", "gone"]))
    assert [line.split(b"\t")[0] for line in found.splitlines()] == [b"puma"]
    assert list(totals_of(assets, DAY, [])) == []
    assert sorted(names_on(assets, DAY)) == [b"nike\n", b"puma\n"]
