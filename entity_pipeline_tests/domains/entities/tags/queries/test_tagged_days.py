import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.domains.entities.accounts.queries.intake_days import day_states
from entity_pipeline.domains.entities.tags.queries import tagged_usernames
from entity_pipeline.domains.entities.tags.queries.tagged_days import known_days
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import DayCounts, DayRecount, recount_days
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]

FIRST, DAY, NEXT = date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 2)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def posts(assets_db: ClonedDatabase) -> Iterator[Connection]:
    """Two days with two posts each; what can't be used is among them."""
    with assets_db.connection() as connection:
        for day in (0, 1):
            collect(
                connection, f"early {day}", NOON + timedelta(days=day), ["Nike", "@nike", "has space", None]
            )
            collect(connection, f"late {day}", NOON + timedelta(days=day, hours=1), ["puma", "fila"])
        collect(connection, "bad 0", NOON, {"no": "array"})
        yield connection


def collect(connection: Connection, external_id: str, at: datetime, tags: Any) -> None:
    connection.execute(
        "insert into raw_posts (platform, external_id, created_at, platform_metadata) values ('instagram', %s, %s, %s)",
        (external_id, at, json.dumps({"tagged_usernames": tags})),
    )


def retag(connection: Connection, external_id: str, tags: Any) -> None:
    connection.execute(
        "update raw_posts set platform_metadata = %s where external_id = %s",
        (json.dumps({"tagged_usernames": tags}), external_id),
    )


def recount(assets_db: ClonedDatabase, first: date = DAY, last: date = NEXT) -> list[DayRecount]:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        return list(recount_days(reader, writer, first, last, first_partition=FIRST))


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("select * from tagged_usernames order by day, username").fetchall()


def swap_tags(connection: Connection) -> None:
    retag(connection, "early 0", ["puma", "fila"])
    retag(connection, "late 0", ["Nike", "@nike", "has space", None])


def test_a_day_whose_posts_are_the_same_is_not_counted_again(
    posts: Connection, assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recount(assets_db)
    monkeypatch.delattr(tagged_usernames, "read_tagged_posts")
    after = recount(assets_db)
    assert [(day.day, day.posts, day.tags) for day in after] == [
        (day.day, day.posts, day.tags) for day in before
    ]
    assert [day.rows for day in after] == [DayCounts(0, 0, 0, 3), DayCounts(0, 0, 0, 3)]
    assert (
        after[0].tags.bad_items == {"whitespace": 1, "not_a_string": 1}
        or after[0].tags.bad_items.total() == 2
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda connection: collect(connection, "new", NOON, ["adidas"]),
        lambda connection: retag(connection, "late 0", ["puma"]),
        lambda connection: retag(connection, "late 0", None),
        lambda connection: connection.execute("delete from raw_posts where external_id = 'late 0'"),
        lambda connection: connection.execute(
            "update raw_posts set created_at = created_at + interval '1 second' where external_id = 'late 0'"
        ),
        lambda connection: connection.execute(
            "update raw_posts set id = gen_random_uuid() where external_id = 'late 0'"
        ),
        swap_tags,
        lambda connection: connection.execute(
            f"delete from tagged_usernames where username = 'fila' and day = '{DAY}'"
        ),
        lambda connection: connection.execute(
            f"insert into tagged_usernames select '{DAY}', 'made_up', 1, now(), now()"
        ),
        lambda connection: connection.execute(f"delete from tagged_usernames where day = '{DAY}'"),
        lambda connection: connection.execute("update tagged_days set rules = 'others'"),
    ],
    ids="added changed emptied deleted moved another swapped row_lost row_added rows_lost rules".split(),
)
def test_a_day_is_counted_again_whichever_of_its_inputs_changed(
    posts: Connection, assets_db: ClonedDatabase, change: Callable[[Connection], Any]
) -> None:
    recount(assets_db)
    change(posts)
    recount(assets_db)
    seen, known = rows(posts), known_days(posts, DAY, NEXT)
    posts.execute("delete from tagged_usernames; delete from tagged_days")
    recount(assets_db)
    assert (seen, known) == (rows(posts), known_days(posts, DAY, NEXT))


def test_only_days_that_changed_are_counted(
    posts: Connection, assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    recount(assets_db, FIRST, NEXT)
    retag(posts, "late 0", ["puma", "adidas"])
    read: list[Any] = []
    monkeypatch.setattr(
        tagged_usernames,
        "read_tagged_posts",
        lambda *asked: read.append(asked[1:]) or READ(*asked),  # type: ignore[func-returns-value]
    )
    (*_, changed, same) = recount(assets_db, FIRST, NEXT)
    assert read == [(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))]
    assert (changed.rows, same.rows) == (DayCounts(1, 0, 1, 2), DayCounts(0, 0, 0, 3))


READ = tagged_usernames.read_tagged_posts


def test_a_day_without_posts_is_known_as_long_as_it_has_no_rows(
    posts: Connection, assets_db: ClonedDatabase
) -> None:
    recount(assets_db, FIRST, FIRST)
    assert known_days(posts, FIRST, FIRST).keys() == {FIRST}
    posts.execute(f"insert into tagged_usernames select '{FIRST}', 'made_up', 1, now(), now()")
    assert known_days(posts, FIRST, FIRST) == {}
    (done,) = recount(assets_db, FIRST, FIRST)
    assert done.rows == DayCounts(0, 0, 1, 0)


def test_a_state_lasts_as_long_as_the_rows_do(posts: Connection, assets_db: ClonedDatabase) -> None:
    recount(assets_db)
    first = day_states(posts, [DAY, NEXT, FIRST])
    assert {day: state.usernames for day, state in first.items()} == {DAY: 3, NEXT: 3}
    retag(posts, "early 0", ["nike"])  # one spelling less of the same account
    assert recount(assets_db)[0].tags.repeated_in_post == 0
    assert day_states(posts, [DAY, NEXT]) == first
    retag(posts, "late 0", ["puma"])
    recount(assets_db)
    after = day_states(posts, [DAY, NEXT])
    assert after[DAY].changed_at > first[DAY].changed_at
    assert after[NEXT] == first[NEXT]


def test_days_counted_under_the_hash_of_an_earlier_release_are_counted_once_more_and_change_nothing(
    posts: Connection, assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    recount(assets_db)
    before, states = rows(posts), day_states(posts, [DAY, NEXT])
    posts.execute("update tagged_days set rules = '0123456789abcdef'")
    assert known_days(posts, DAY, NEXT) == {}
    assert [day.rows for day in recount(assets_db)] == [DayCounts(0, 0, 0, 3), DayCounts(0, 0, 0, 3)]
    assert rows(posts) == before
    assert day_states(posts, [DAY, NEXT]) == states, "the accounts need not be taken in again"
    monkeypatch.delattr(tagged_usernames, "read_tagged_posts")
    recount(assets_db)


def test_a_count_that_fails_is_not_recorded(
    posts: Connection, assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagged_usernames, "note_day", lambda *_, **__: posts.execute("select 1 / 0"))
    with pytest.raises(psycopg.errors.DivisionByZero):
        recount(assets_db)
    assert rows(posts) == []
    assert known_days(posts, DAY, NEXT) == {}


def test_a_first_partition_that_moves_counts_no_post_twice(
    posts: Connection, assets_db: ClonedDatabase
) -> None:
    def counted_from(first: date) -> list[tuple[str, int]]:
        with assets_db.connection() as reader, assets_db.connection() as writer:
            list(recount_days(reader, writer, first, NEXT, first_partition=first))
        return posts.execute(
            "select username, sum(posts) from tagged_usernames group by 1 order by 1"
        ).fetchall()

    totals = counted_from(DAY)
    days = rows(posts)
    assert counted_from(NEXT) == totals
    assert {row[0] for row in rows(posts)} == {NEXT}
    assert counted_from(DAY) == totals
    assert rows(posts) == days
