"""`tagged_usernames`: who was tagged on which collection day. The one source of tag counts.

A day is replaced as a whole, touching only rows that differ. `recount_days` holds the days' locks while it
reads the posts: without that, a run that read earlier could overwrite the result of one that read later.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.domains.entities.logic.tagging import TagCounts, TaggedUsername, tally_by_day
from entity_pipeline.domains.entities.queries.raw_posts import posts_by_day, read_tagged_posts

_LOCK_DAY = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"

_STAGE = """
    create temp table incoming_tagged (
        username text, posts integer, first_seen_at timestamptz, last_seen_at timestamptz,
        sample_posts uuid[]
    ) on commit drop
"""
_DELETE_GONE = """
    delete from tagged_usernames as kept
    where day = %s and not exists (select from incoming_tagged as new where new.username = kept.username)
"""
_UPDATE_CHANGED = """
    update tagged_usernames as kept
    set posts = new.posts, first_seen_at = new.first_seen_at, last_seen_at = new.last_seen_at,
        sample_posts = new.sample_posts
    from incoming_tagged as new
    where kept.day = %s and kept.username = new.username
      and (kept.posts, kept.first_seen_at, kept.last_seen_at, kept.sample_posts)
          is distinct from (new.posts, new.first_seen_at, new.last_seen_at, new.sample_posts)
"""
_INSERT_NEW = """
    insert into tagged_usernames (day, username, posts, first_seen_at, last_seen_at, sample_posts)
    select %s, username, posts, first_seen_at, last_seen_at, sample_posts from incoming_tagged as new
    where not exists (
        select from tagged_usernames as kept where kept.day = %s and kept.username = new.username)
    order by username
    on conflict do nothing
"""

# Days don't overlap, so the first samples in order of the days are the earliest posts of all.
_TOTALS = """
    copy (
        select username, first_day, jsonb_build_object(
            'posts', posts,
            'first_tagged_at', to_char(first_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'last_tagged_at', to_char(last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'sample_posts', to_jsonb(coalesce((string_to_array(sample_posts, ','))[1:3], '{}'))
        )
        from (
            select username, min(day) as first_day, sum(posts) as posts,
                   min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at,
                   string_agg(nullif(array_to_string(sample_posts, ','), ''), ',' order by day) as sample_posts
            from tagged_usernames where username in (USERNAMES) group by username
        ) as totals
    ) to stdout
"""


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Rows of one day after a replacement; only the first three were written."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class DayRecount:
    """What one day came to. `posts` counts all posts of the day, `tags` what was read of those with tags."""

    day: date
    posts: int
    tags: TagCounts
    rows: DayCounts


def day_window(day: date, first_day: date) -> tuple[datetime | None, datetime]:
    """[start, end) of a partition, UTC; the first one has no start."""
    start = None if day <= first_day else datetime.combine(day, time(), UTC)
    return start, datetime.combine(day + timedelta(days=1), time(), UTC)


def replace_day(connection: psycopg.Connection[Any], day: date, rows: Iterable[TaggedUsername]) -> DayCounts:
    """Make the day hold exactly these rows, in one transaction. Usernames must be distinct."""
    with connection.transaction():
        connection.execute(_LOCK_DAY, (f"tagged_usernames write {day}",))
        connection.execute(_STAGE)
        staged = _stage(connection, rows)
        connection.execute("analyze incoming_tagged")
        deleted = connection.execute(_DELETE_GONE, (day,)).rowcount
        updated = connection.execute(_UPDATE_CHANGED, (day,)).rowcount
        inserted = connection.execute(_INSERT_NEW, (day, day)).rowcount
        connection.execute("drop table incoming_tagged")
    return DayCounts(inserted, updated, deleted, staged - inserted - updated)


def _stage(connection: psycopg.Connection[Any], rows: Iterable[TaggedUsername]) -> int:
    # Usernames and uuids need no escaping, and write_row() takes five times as long.
    lines = (
        f"{row.username}\t{row.posts}\t{row.first_seen_at.isoformat()}\t{row.last_seen_at.isoformat()}"
        f"\t{{{','.join(row.sample_posts)}}}\n"
        for row in rows
    )
    staged = 0
    with connection.cursor().copy("copy incoming_tagged from stdin") as copy:
        while batch := list(islice(lines, 2_000)):
            copy.write("".join(batch))
            staged += len(batch)
    return staged


def recount_days(
    reader: psycopg.Connection[Any],
    writer: psycopg.Connection[Any],
    first: date,
    last: date,
    *,
    first_partition: date,
) -> Iterator[DayRecount]:
    """Read the posts of the partitions `first` to `last` once, and replace each day once it is complete.

    Days are yielded in order, days without a post included. `reader` is in one transaction throughout and
    holds the days; `writer`, another connection to the same database, commits day by day.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    with reader.transaction():
        reader.execute("set local statement_timeout = 0")
        for day in days:
            reader.execute(_LOCK_DAY, (f"tagged_usernames recount {day}",))
        start, end = day_window(first, first_partition)[0], day_window(last, first_partition)[1]
        posts = posts_by_day(reader, start, end, first_day=first_partition)
        # Left in the middle, the stream must end before the transaction: else its locks outlive it.
        with closing(read_tagged_posts(reader, start, end)) as stream:
            tallies = tally_by_day(stream, first_partition)
            tally = next(tallies, None)
            for day in days:
                if tally is not None and tally.day == day:
                    rows = replace_day(writer, day, tally.rows())
                    yield DayRecount(day, posts.get(day, 0), tally.counts, rows)
                    tally = next(tallies, None)
                else:
                    yield DayRecount(day, posts.get(day, 0), TagCounts(), replace_day(writer, day, ()))


def day_totals(connection: psycopg.Connection[Any], day: date) -> Iterator[bytes]:
    """Totals over all days of everybody tagged on `day`, as blocks of COPY text.

    Columns: username, first day, and the account's `tagging` object as JSON. Blocks go as they are into
    `accounts_intake.upsert_tagged_accounts`; the connection is busy until the last one is taken.
    """
    return _totals(connection, "select username from tagged_usernames where day = %s", day)


def totals_of(connection: psycopg.Connection[Any], usernames: list[str]) -> Iterator[bytes]:
    """The same for given usernames; one that is tagged nowhere has no row."""
    return _totals(connection, "select unnest(%s::text[])", usernames)


def _totals(connection: psycopg.Connection[Any], usernames: str, parameter: object) -> Iterator[bytes]:
    with (
        connection.cursor() as cursor,
        cursor.copy(_TOTALS.replace("USERNAMES", usernames), (parameter,)) as copy,
    ):
        for block in copy:
            yield bytes(block)


def most_tagged(connection: psycopg.Connection[Any], day: date) -> list[dict[str, Any]]:
    """The 20 most-tagged usernames of the day, for a report."""
    query = (
        "select username, posts from tagged_usernames where day = %s order by posts desc, username limit 20"
    )
    return connection.cursor(row_factory=dict_row).execute(query, (day,)).fetchall()


def count_tags(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """All tags (an account in a post) and all tagged usernames."""
    row = connection.execute(
        "select coalesce(sum(posts), 0)::bigint, count(distinct username) from tagged_usernames"
    )
    tags, usernames = row.fetchone() or (0, 0)
    return tags, usernames
