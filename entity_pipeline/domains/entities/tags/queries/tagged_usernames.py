"""`tagged_usernames`: the accounts tagged on each day of collection. The one source of tag counts.

A day is replaced as a whole, writing only rows that differ, and is not even counted when its posts are unchanged since
the last count. `recount_days` holds the days' locks while it reads the posts; otherwise a run that read earlier could
overwrite the result of one that read later.
"""

import struct
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from typing import Any

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.streams import read_ahead
from entity_pipeline.core.text.handles import MAX_LENGTH
from entity_pipeline.domains.entities.tags.logic.tally import DayTally, TagCounts, tally_by_day
from entity_pipeline.domains.entities.tags.queries.raw_posts import (
    marks_by_day,
    posts_by_day,
    read_tagged_posts,
)
from entity_pipeline.domains.entities.tags.queries.tagged_days import KnownDay, known_days, note_day

_LOCK_DAY = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
# One day, or one piece of it, is sorted and joined here.
_ROOM = "set local work_mem = '64MB'"

# Most usernames are seen in only one post, so its moment and id are enough.
_STAGE = """
    create temp table incoming_tagged (
        piece integer, username text, posts integer, first_seen_at timestamptz, sample_1 uuid,
        last_seen_at timestamptz, sample_2 uuid, sample_3 uuid
    ) on commit drop
"""
# The pieces of a day follow each other in time, so samples missing in a username's first piece are in the next ones.
_STAGED = """(
    select username, posts, first_seen_at, last_seen_at, sample_posts from (
        select username, first_seen_at, sum(posts) over pieces as posts,
               max(coalesce(last_seen_at, first_seen_at)) over pieces as last_seen_at,
               (array_remove(array[sample_1, sample_2, sample_3, lead(sample_1) over pieces,
                   lead(sample_2) over pieces, lead(sample_1, 2) over pieces], null))[1:3] as sample_posts,
               row_number() over pieces as nth
        from incoming_tagged
        window pieces as (partition by username order by piece rows between current row and unbounded following)
    ) as counted where nth = 1
)"""
# The first partition holds the posts of all earlier days, which had partitions of their own if it has moved.
_DELETE_BEFORE = "delete from tagged_usernames where day < %s"
_HAS_ROWS = "select exists (select from tagged_usernames where day = %s)"
_COUNT = "select count(*) from tagged_usernames where day = %s"
_INSERT_ALL = f"""
    insert into tagged_usernames (day, username, posts, first_seen_at, last_seen_at, sample_posts)
    select %s, username, posts, first_seen_at, last_seen_at, sample_posts from {_STAGED} as new
    order by username
"""
_COMPARE = f"""
    create temp table differing_tagged on commit drop as
    select username, new.posts, new.first_seen_at, new.last_seen_at, new.sample_posts,
           new.posts is null as is_gone, kept.posts is null as is_new
    from {_STAGED} as new full join (select * from tagged_usernames where day = %s) as kept using (username)
    where (kept.posts, kept.first_seen_at, kept.last_seen_at, kept.sample_posts)
          is distinct from (new.posts, new.first_seen_at, new.last_seen_at, new.sample_posts)
"""
_DELETE_GONE = """
    delete from tagged_usernames as kept using differing_tagged as new
    where kept.day = %s and kept.username = new.username and new.is_gone
"""
_UPDATE_CHANGED = """
    update tagged_usernames as kept
    set posts = new.posts, first_seen_at = new.first_seen_at, last_seen_at = new.last_seen_at,
        sample_posts = new.sample_posts
    from differing_tagged as new
    where kept.day = %s and kept.username = new.username and not new.is_gone and not new.is_new
"""
_INSERT_NEW = """
    insert into tagged_usernames (day, username, posts, first_seen_at, last_seen_at, sample_posts)
    select %s, username, posts, first_seen_at, last_seen_at, sample_posts from differing_tagged
    where is_new
    order by username
"""

# Rows of binary COPY: the number of columns, then each column's length and value; a length of -1 is null.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_INTEGER = struct.Struct("!ii")
_MOMENT, _POST = slice(0, 12), slice(12, 32)

# Days don't overlap, so the first samples in order of the days are the earliest posts of all. The JSON is assembled as
# text, which takes a quarter of the time and is safe because nothing in it needs escaping.
_TOTALS = """
    copy (
        select username, run_day, first_day, '{{"posts": ' || posts || ', "first_tagged_at": "'
            || to_char(first_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '", "last_tagged_at": "'
            || to_char(last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '", "sample_posts": ['
            || coalesce('"' || array_to_string((string_to_array(sample_posts, ','))[1:3], '", "') || '"', '') || ']}}'
        from (
            select username, min(day) as first_day, min(day) filter (where day = any(%(days)s)) as run_day,
                   sum(posts) as posts, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at,
                   string_agg(nullif(array_to_string(sample_posts, ','), ''), ',' order by day) as sample_posts
            from tagged_usernames where {wanted} group by username
        ) as totals
        order by username
    ) to stdout
"""
_TAGGED_ON = "username in (select username from tagged_usernames where day = any(%(days)s))"
_IS_ALL = """
    select not exists (select from tagged_usernames where day < %s)
       and not exists (select from tagged_usernames where day > %s)
"""
_NAMES = "copy (select username from tagged_usernames where day = %s) to stdout"


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Rows of one day after a replacement; only the first three were written."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class DayRecount:
    """The result for one day. `posts` counts all posts of the day, `tags` what was read from those with tags."""

    day: date
    posts: int
    tags: TagCounts
    rows: DayCounts


def day_window(day: date, first_day: date) -> tuple[datetime | None, datetime]:
    """[start, end) of a partition, UTC; the first one has no start."""
    start = None if day <= first_day else datetime.combine(day, time(), UTC)
    return start, datetime.combine(day + timedelta(days=1), time(), UTC)


def replace_day(connection: psycopg.Connection[Any], day: date, pieces: Iterable[DayTally]) -> DayCounts:
    """Make the day hold exactly the union of these tallies, in one transaction.

    The tallies are taken one by one in order of time, each released before the next; no post is in two of them.
    """
    with connection.transaction():
        connection.execute(_LOCK_DAY, (f"tagged_usernames write {day}",))
        connection.execute(_ROOM)
        connection.execute(_STAGE)
        _stage(connection, pieces)
        has_rows = connection.execute(_HAS_ROWS, (day,)).fetchone() == (True,)
        counts = (_merge if has_rows else _fill)(connection, day)
        connection.execute("drop table incoming_tagged")
    return counts


def _fill(connection: psycopg.Connection[Any], day: date) -> DayCounts:
    inserted = connection.execute(_INSERT_ALL, (day,)).rowcount
    return DayCounts(inserted, 0, 0, 0)


def _merge(connection: psycopg.Connection[Any], day: date) -> DayCounts:
    connection.execute("analyze incoming_tagged")
    differing = connection.execute(_COMPARE, (day,)).rowcount
    deleted = updated = inserted = 0
    if differing:
        connection.execute("analyze differing_tagged")
        deleted = connection.execute(_DELETE_GONE, (day,)).rowcount
        updated = connection.execute(_UPDATE_CHANGED, (day,)).rowcount
        inserted = connection.execute(_INSERT_NEW, (day,)).rowcount
    (there,) = connection.execute(_COUNT, (day,)).fetchone() or (0,)
    connection.execute("drop table differing_tagged")
    return DayCounts(inserted, updated, deleted, there - inserted - updated)


def _stage(connection: psycopg.Connection[Any], pieces: Iterable[DayTally]) -> None:
    with connection.cursor().copy("copy incoming_tagged from stdin (format binary)") as copy:
        copy.write(_COPY_HEADER)
        for number, piece in enumerate(pieces, start=1):
            rows = _copy_rows(piece, number)
            while batch := b"".join(islice(rows, 4_000)):
                copy.write(batch)
            del piece, rows
        copy.write(_COPY_TRAILER)


def _copy_rows(tally: DayTally, piece: int) -> Iterator[bytes]:
    # Rows are packed by hand because write_row() takes five times as long.
    heads = [struct.pack("!hiii", 8, 4, piece, length) for length in range(MAX_LENGTH + 1)]
    once, no_more = _INTEGER.pack(4, 1), 3 * _NULL
    for username, seen in tally.rows():
        name = username.encode()
        if type(seen) is not list:
            yield heads[len(name)] + name + once + seen + no_more  # type: ignore[operator]
        else:
            third = seen[2][_POST] if len(seen) > 2 else _NULL
            yield b"".join(
                (
                    heads[len(name)],
                    name,
                    _INTEGER.pack(4, len(seen)),
                    seen[0],
                    seen[-1][_MOMENT],
                    seen[1][_POST],
                    third,
                )
            )


def recount_days(
    reader: psycopg.Connection[Any],
    writer: psycopg.Connection[Any],
    first: date,
    last: date,
    *,
    first_partition: date,
) -> Iterator[DayRecount]:
    """Bring the partitions `first` to `last` up to date with their posts, each replaced once it is complete.

    Days are yielded in order, days without a post included. `reader` is in one transaction throughout and
    holds the days; `writer`, another connection to the same database, commits day by day.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    with reader.transaction():
        reader.execute("set local statement_timeout = 0")
        for day in days:
            reader.execute(_LOCK_DAY, (f"tagged_usernames recount {day}",))
        posts = posts_by_day(reader, *_window(first, last, first_partition), first_day=first_partition)
        same = _same_days(reader, first, last, first_partition)
        for is_same, run in groupby(days, key=same.__contains__):
            if is_same:
                for day in run:
                    rows = DayCounts(0, 0, 0, same[day].usernames)
                    yield DayRecount(day, posts.get(day, 0), same[day].tags, rows)
            else:
                # If the caller stops early, the stream must end before the transaction; otherwise its locks would
                # outlive it.
                with closing(_count(reader, writer, list(run), first_partition)) as counted:
                    for day, tags, rows in counted:
                        yield DayRecount(day, posts.get(day, 0), tags, rows)


def _same_days(
    reader: psycopg.Connection[Any], first: date, last: date, first_partition: date
) -> dict[date, KnownDay]:
    known = known_days(reader, first, last)
    if not known:
        return known
    window = _window(min(known), max(known), first_partition)
    marks = marks_by_day(reader, *window, first_day=first_partition)
    return {day: counted for day, counted in known.items() if counted.tags.mark == marks.get(day, 0)}


def _count(
    reader: psycopg.Connection[Any],
    writer: psycopg.Connection[Any],
    days: Sequence[date],
    first_partition: date,
) -> Generator[tuple[date, TagCounts, DayCounts], None, None]:
    with closing(read_tagged_posts(reader, *_window(days[0], days[-1], first_partition))) as stream:
        with read_ahead(tally_by_day(stream, first_partition)) as pieces:
            for day, of_day in _with_days_between(days, groupby(pieces, key=lambda piece: piece.day)):
                tags = TagCounts()
                with writer.transaction():
                    if day <= first_partition:
                        writer.execute(_DELETE_BEFORE, (day,))
                    rows = replace_day(writer, day, _adding_up(of_day, tags))
                    note_day(
                        writer,
                        day,
                        tags,
                        usernames=rows.inserted + rows.updated + rows.unchanged,
                        is_changed=bool(rows.inserted or rows.updated or rows.deleted),
                    )
                yield day, tags, rows


def _window(first: date, last: date, first_partition: date) -> tuple[datetime | None, datetime]:
    return day_window(first, first_partition)[0], day_window(last, first_partition)[1]


def _with_days_between(
    days: Iterable[date], found: Iterable[tuple[date, Iterator[DayTally]]]
) -> Iterator[tuple[date, Iterator[DayTally]]]:
    waiting = iter(found)
    upcoming = next(waiting, None)
    for day in days:
        if upcoming is not None and upcoming[0] == day:
            yield upcoming
            upcoming = next(waiting, None)
        else:
            yield day, iter(())


def _adding_up(pieces: Iterator[DayTally], total: TagCounts) -> Iterator[DayTally]:
    for piece in pieces:
        total.add(piece.counts)
        yield piece


def run_totals(connection: psycopg.Connection[Any], days: Sequence[date]) -> Iterator[bytes]:
    """Totals over all days of the accounts tagged on these days, by username, as rows of COPY text.

    Columns: username, the first of these days that tags it, its first day overall, and the account's `tagging` object
    as JSON. The connection is busy until the last one is taken.
    """
    first, last = min(days), max(days)
    # If the run covers all days, selecting would take as long as reading everything.
    is_all = (last - first).days + 1 == len(days) and connection.execute(
        _IS_ALL, (first, last)
    ).fetchone() == (True,)
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute(_ROOM)
        query = _TOTALS.format(wanted="true" if is_all else _TAGGED_ON)
        yield from _copied(connection, query, {"days": list(days)})


def totals_of(connection: psycopg.Connection[Any], day: date, usernames: list[str]) -> Iterator[bytes]:
    """The same for given usernames in a run of one day; a username that is tagged nowhere has no row."""
    query = _TOTALS.format(wanted="username in (select unnest(%(usernames)s::text[]))")
    yield from _copied(connection, query, {"days": [day], "usernames": usernames})


def names_on(connection: psycopg.Connection[Any], day: date) -> Iterator[bytes]:
    """The usernames of a day, as rows of COPY text."""
    yield from _copied(connection, _NAMES, (day,))


def _copied(connection: psycopg.Connection[Any], query: str, parameters: Any) -> Iterator[bytes]:
    with connection.cursor() as cursor, cursor.copy(query, parameters) as copy:
        for row in copy:
            yield bytes(row)


def most_tagged(connection: psycopg.Connection[Any], day: date) -> list[dict[str, Any]]:
    """The 20 most-tagged usernames of the day, for a report."""
    query = (
        "select username, posts from tagged_usernames where day = %s order by posts desc, username limit 20"
    )
    return connection.cursor(row_factory=dict_row).execute(query, (day,)).fetchall()


def count_tags(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """The numbers of all tags (an account in a post) and of all tagged usernames."""
    row = connection.execute(
        "select coalesce(sum(posts), 0)::bigint, count(distinct username) from tagged_usernames"
    )
    tags, usernames = row.fetchone() or (0, 0)
    return tags, usernames
