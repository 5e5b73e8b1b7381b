"""Reads of `raw_posts`, the collector's table; nothing here writes.

`created_at` is the day of collection and never changes; `updated_at` moves when a post is collected again. A
transaction that commits late carries an older `updated_at` than rows already seen, so the cursor of `changed_days`
keeps a fingerprint of the last minutes and names only days that have changed.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from entity_pipeline.domains.entities.tags.logic.tally import TaggedPost, tags_of_whole

LATE_COMMIT_WINDOW = timedelta(minutes=5)
"""The longest transaction of a collector whose posts are still noticed."""

# Beyond these, or infinite, a time is not a day for Python, so such a post is left out of everything but the counts.
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_HAS_A_DAY = f"created_at >= '{EARLIEST.isoformat()}'::timestamptz and created_at < '{LATEST.isoformat()}'::timestamptz"

# OFFSET 0 keeps the planner from flattening the subquery and reading the jsonb twice. The post is the seed of its
# tags' hash: otherwise two posts could exchange their tags without changing the sum of the hashes.
_TAGGED = """(
    select created_at, id, is_whole, tags,
        jsonb_hash_extended(tags, hash_record_extended(row(created_at, id), 0)) as mark
    from (
        select id, created_at, is_whole,
            case when is_whole then platform_metadata else platform_metadata->'tagged_usernames' end as tags
        from (
            select id, created_at, platform_metadata, jsonb_typeof(platform_metadata) <> 'object' as is_whole
            from raw_posts
            where {window}
            offset 0
        ) as stored
        offset 0
    ) as posts
    where jsonb_typeof(tags) <> 'null'
)"""
_READ_TAGGED = sql.SQL(
    f"""
    copy (
        select created_at, id, mark, is_whole, tags from {_TAGGED} as tagged order by created_at, id
    ) to stdout (format binary)
    """
)
_MARKS = sql.SQL(
    f"""
    select greatest((created_at at time zone 'UTC')::date, {{first_day}}), sum(mark) from {_TAGGED} as tagged
    group by 1
    """
)
# Binary COPY: a header of 19 bytes, before the first row; a row is its number of columns (2 bytes), then for each
# column its length (4 bytes) and value. jsonb is a version (1 byte) and its text.
_HEADER = b"PGCOPY\n\xff\r\n\0"
_SEEN = slice(2, 34)
_MARK = slice(38, 46)
_IS_WHOLE = 50
_TAGS = slice(56, None)
_TRAILER = b"\xff\xff"

_CHANGED_DAYS = f"""
    with fresh as (
        select id, created_at, updated_at from raw_posts
        where (updated_at, id) > (%(head_at)s::timestamptz, %(head_id)s::uuid)
          -- Behind a time far in the future, the cursor would never see another post.
          and updated_at < now() + interval '1 day'
        order by updated_at, id limit %(limit)s
    ), head as (
        (select updated_at, id from fresh order by updated_at desc, id desc limit 1)
        union all
        select %(head_at)s::timestamptz, %(head_id)s::uuid
        order by 1 desc, 2 desc limit 1
    ), settled as (
        select case when updated_at > now() - %(window)s::interval
                    then greatest(%(settled_at)s::timestamptz, now() - %(window)s::interval)
                    else updated_at end as at,
               case when updated_at > now() - %(window)s::interval
                    then '00000000-0000-0000-0000-000000000000'::uuid else id end as id
        from head
    ), seen as (
        select false as is_fresh, id, created_at, updated_at from raw_posts
        where (updated_at, id) > (%(settled_at)s::timestamptz, %(settled_id)s::uuid)
          and (updated_at, id) <= (%(head_at)s::timestamptz, %(head_id)s::uuid)
        union all
        select true, id, created_at, updated_at from fresh
    ), dated as (
        select greatest((created_at at time zone 'UTC')::date, %(first_day)s::date) as day, is_fresh,
               (seen.updated_at, seen.id) > (settled.at, settled.id) as is_recent, seen.id, seen.updated_at
        from seen cross join settled
        where {_HAS_A_DAY}
    ), marked as (
        -- A catch-up over a million posts needs no mark of those that are settled.
        select day, is_fresh, is_recent, case when is_recent or not is_fresh
            then hashtextextended(id::text || extract(epoch from updated_at)::text, 0) end as mark
        from dated
    )
    select head.updated_at, head.id, settled.at, settled.id, days.*
    from head cross join settled left join (
        select day, bool_or(is_fresh) as is_fresh,
               coalesce(sum(mark) filter (where not is_fresh), 0)::text as before,
               (sum(mark) filter (where is_recent))::text as after
        from marked group by day
    ) as days on true
    order by days.day
"""

# One index scan per day instead of reading every post.
_DAYS_WITH_POSTS = f"""
    with recursive days as (
        select ((min(created_at) at time zone 'UTC')::date) as day from raw_posts where {_HAS_A_DAY}
        union all
        select (
            select (min(created_at) at time zone 'UTC')::date from raw_posts
            where created_at >= ((days.day + 1)::timestamp at time zone 'UTC') and {_HAS_A_DAY}
        )
        from days where days.day is not null
    )
    select distinct greatest(day, %(first_day)s::date) from days where day is not null order by 1
"""

# Two index scans; `not` of the condition would read every post.
_WITHOUT_A_DAY = f"""
    select (select count(*) from raw_posts where created_at < '{EARLIEST.isoformat()}'::timestamptz)
        + (select count(*) from raw_posts where created_at >= '{LATEST.isoformat()}'::timestamptz)
"""


@dataclass(frozen=True, slots=True)
class ChangeCursor:
    """How far `raw_posts` has been watched.

    Everything up to `settled` is done. Between it and `head`, rows of late transactions may still appear: `recent`
    holds a fingerprint of the known rows per day.
    """

    head: tuple[datetime, UUID] = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
    settled: tuple[datetime, UUID] = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
    recent: Mapping[date, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """For a sensor's cursor."""
        return json.dumps(
            {
                "head": [self.head[0].isoformat(), str(self.head[1])],
                "settled": [self.settled[0].isoformat(), str(self.settled[1])],
                "recent": {day.isoformat(): mark for day, mark in self.recent.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str | None) -> "ChangeCursor":
        """The cursor in the text; the very beginning if there is no readable text."""
        try:
            raw: Any = json.loads(text or "")
            head, settled = (
                (datetime.fromisoformat(raw[key][0]), UUID(raw[key][1])) for key in ("head", "settled")
            )
            recent = {date.fromisoformat(day): str(mark) for day, mark in raw["recent"].items()}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return cls()
        return cls(head, settled, recent)


def read_tagged_posts(
    connection: psycopg.Connection[Any], start: datetime | None, end: datetime | None
) -> Generator[TaggedPost, None, None]:
    """Posts collected in [start, end) that carry the key, oldest first, streamed; None means no bound.

    Metadata that is not an object comes too, because a post must not vanish: as its tags if it is an object encoded
    twice, else as what stands in their place.

    The connection is busy until the last post is taken.
    """
    with connection.cursor() as cursor, cursor.copy(_READ_TAGGED.format(window=_window(start, end))) as copy:
        for row in copy:
            data = bytes(row)
            if data.startswith(_HEADER):
                data = data[19:]
            if data != _TRAILER:
                tags = tags_of_whole(data[_TAGS]) if data[_IS_WHOLE] else data[_TAGS]
                yield TaggedPost(data[_SEEN], tags, int.from_bytes(data[_MARK], "big", signed=True))


def posts_by_day(
    connection: psycopg.Connection[Any], start: datetime | None, end: datetime | None, *, first_day: date
) -> dict[date, int]:
    """The number of posts collected in [start, end) per partition, with and without tags."""
    query = sql.SQL(
        "select greatest((created_at at time zone 'UTC')::date, {first_day}), count(*) from raw_posts "
        "where {window} group by 1 order by 1"
    )
    rows = connection.execute(query.format(first_day=sql.Literal(first_day), window=_window(start, end)))
    return dict(rows.fetchall())


def marks_by_day(
    connection: psycopg.Connection[Any], start: datetime | None, end: datetime | None, *, first_day: date
) -> dict[date, int]:
    """The sum of the marks of all posts with tags collected in [start, end), per partition that has any.

    The marks are those of `read_tagged_posts`, in a tenth of the time because no post leaves the server.
    """
    query = _MARKS.format(first_day=sql.Literal(first_day), window=_window(start, end))
    return {day: int(mark) for day, mark in connection.execute(query)}


def count_posts(connection: psycopg.Connection[Any]) -> int:
    """The number of all posts."""
    row = connection.execute("select count(*) from raw_posts").fetchone()
    return int(row[0]) if row else 0


def count_without_a_day(connection: psycopg.Connection[Any]) -> int:
    """The number of posts whose `created_at` is infinite or too far away to be a day; none of them is counted."""
    row = connection.execute(_WITHOUT_A_DAY).fetchone()
    return int(row[0]) if row else 0


def days_with_posts(connection: psycopg.Connection[Any], first_day: date) -> list[date]:
    """Every partition that has a post, in order."""
    return [row[0] for row in connection.execute(_DAYS_WITH_POSTS, {"first_day": first_day})]


def changed_days(
    connection: psycopg.Connection[Any], cursor: ChangeCursor, limit: int, *, first_day: date
) -> tuple[list[date], ChangeCursor]:
    """Days whose posts changed since the cursor, in order, and the next cursor.

    One call reads at most `limit` new rows. A day is named again only if it changed again.
    """
    parameters = {
        "head_at": cursor.head[0],
        "head_id": cursor.head[1],
        "settled_at": cursor.settled[0],
        "settled_id": cursor.settled[1],
        "limit": limit,
        "window": LATE_COMMIT_WINDOW,
        "first_day": first_day,
    }
    rows = connection.execute(_CHANGED_DAYS, parameters).fetchall()
    changed: set[date] = set(cursor.recent) - {row[4] for row in rows}
    recent: dict[date, str] = {}
    for *_, day, is_fresh, before, after in rows:
        if day is None:
            continue
        if is_fresh or before != cursor.recent.get(day, "0"):
            changed.add(day)
        if after is not None:
            recent[day] = after
    head_at, head_id, settled_at, settled_id = rows[0][:4]
    return sorted(changed), ChangeCursor((head_at, head_id), (settled_at, settled_id), recent)


def _window(start: datetime | None, end: datetime | None) -> sql.Composable:
    bounds = (sql.Literal(start or EARLIEST), sql.Literal(min(end or LATEST, LATEST)))
    return sql.SQL("created_at >= {} and created_at < {}").format(*bounds)
