"""A person in all tables: found, freed of work, and removed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from entity_pipeline.domains.influencers.models import PLATFORM
from entity_pipeline.domains.influencers.queue.tasks import Outcome

_FIND = """
select b.person_id, b.id as blog_id, b.platform, b.username, b.platform_id,
  coalesce(b.full_name, p.full_name) as full_name, b.follower_count, b.scraped_at
from blogs b join persons p on p.id = b.person_id
where b.person_id in (
  select person_id from blogs
  where platform = %(platform)s and (username = %(username)s or platform_id = %(pk)s)
)
order by b.created_at, b.id
"""
# A worker on one of them is refused from here on, and so is a batch that answers later.
_END_TASKS = """
with open as (
  select id from scrape_tasks where blog_id = any(%(blogs)s) and status in ('pending', 'running')
  order by id for update
)
update scrape_tasks t
set status = 'done', outcome = %(outcome)s, error_message = null, completed_at = clock_timestamp(), fence = fence + 1,
  lease_owner = null, lease_until = null
from open where t.id = open.id
"""
# In the order in which workers lock: the task, then the blog.
_LOCK_TASKS = "select from scrape_tasks where blog_id = any(%(blogs)s) order by id for update"
_LOCK_BLOGS = "select from blogs where id = any(%(blogs)s) order by id for update"
_PICTURES = """
with own as (
  select avatar_key as key from blogs where id = any(%(blogs)s)
  union
  select thumbnail_key from blog_posts where blog_id = any(%(blogs)s)
)
select key from own where key is not null
  and not exists (select from blogs b where b.avatar_key = own.key and b.id <> all(%(blogs)s))
  and not exists (select from blog_posts p where p.thumbnail_key = own.key and p.blog_id <> all(%(blogs)s))
order by key
"""
_ADDRESSES = """
select avatar_url as url from blogs where id = any(%(blogs)s) and avatar_url is not null
union
select thumbnail_url from blog_posts where blog_id = any(%(blogs)s) and thumbnail_url is not null
"""
_SUBJECTS_OF_REQUESTS = """
select code from blog_posts where blog_id = any(%(blogs)s)
union
select platform_id::text from blog_highlights where blog_id = any(%(blogs)s)
"""
_COUNTS = """
select (select count(*) from blogs where id = any(%(blogs)s)) as blogs,
  (select count(*) from blog_posts where blog_id = any(%(blogs)s)) as posts,
  (select count(*) from blog_highlights where blog_id = any(%(blogs)s)) as highlights,
  (select count(*) from blog_categories where blog_id = any(%(blogs)s)) as categories,
  (select count(*) from scrape_tasks where blog_id = any(%(blogs)s)) as tasks
"""
# A request for several highlights names them in one text.
_LOG = """
update instagram_request_log set target = null, username = null
where target = any(%(names)s) or username = any(%(names)s) or string_to_array(target, ',') && %(names)s
"""
# A search that has ended holds a number in place of the ids; one at work notes them again until then.
_SEARCHES = """
update scrape_tasks set steps = jsonb_set(steps #- array['looks', %(pk)s::text], '{people}', (
  select coalesce(jsonb_agg(pk), '[]') from jsonb_array_elements(steps -> 'people') as pk
  where pk <> to_jsonb(%(pk)s::bigint)
))
where task_type = 'discover' and status in ('pending', 'failed') and jsonb_typeof(steps -> 'people') = 'array'
  and steps -> 'people' @> to_jsonb(%(pk)s::bigint)
"""
_REMOVE = "delete from persons where id = any(%(persons)s)"


@dataclass(frozen=True, slots=True)
class StoredBlog:
    """One blog of the person."""

    person_id: UUID
    blog_id: UUID
    platform: str
    username: str
    platform_id: int | None
    full_name: str | None
    follower_count: int | None
    scraped_at: datetime | None


def find_person(connection: Connection[Any], username: str | None, pk: int | None) -> list[StoredBlog]:
    """All blogs of the people who have this username or this numeric id."""
    values = {"platform": PLATFORM, "username": username, "pk": pk}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [StoredBlog(**row) for row in cursor.execute(_FIND, values).fetchall()]


def end_tasks(connection: Connection[Any], blogs: Sequence[UUID]) -> None:
    """End all open tasks of the blogs: their workers can't write any more."""
    connection.execute(_END_TASKS, {"blogs": list(blogs), "outcome": Outcome.ERASED})


def lock(connection: Connection[Any], blogs: Sequence[UUID]) -> None:
    """Until the transaction ends, no other one writes to the blogs or their tasks."""
    connection.execute(_LOCK_TASKS, {"blogs": list(blogs)})
    connection.execute(_LOCK_BLOGS, {"blogs": list(blogs)})


def own_pictures(connection: Connection[Any], blogs: Sequence[UUID]) -> list[str]:
    """The keys of stored pictures that no other blog has."""
    return [row[0] for row in connection.execute(_PICTURES, {"blogs": list(blogs)})]


def picture_addresses(connection: Connection[Any], blogs: Sequence[UUID]) -> list[str]:
    """Where Instagram has the pictures."""
    return [row[0] for row in connection.execute(_ADDRESSES, {"blogs": list(blogs)})]


def posts_and_highlights(connection: Connection[Any], blogs: Sequence[UUID]) -> list[str]:
    """The codes of posts and the ids of highlights, as requests name them."""
    return [row[0] for row in connection.execute(_SUBJECTS_OF_REQUESTS, {"blogs": list(blogs)})]


def counts(connection: Connection[Any], blogs: Sequence[UUID]) -> Mapping[str, int]:
    """How many rows there are of the blogs, by table."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_COUNTS, {"blogs": list(blogs)}).fetchone()
    return dict(row or {})


def blank_log(connection: Connection[Any], names: Iterable[str]) -> int:
    """Remove the targets of requests that were about one of these; the requests still count."""
    return connection.execute(_LOG, {"names": sorted(set(names))}).rowcount


def leave_searches(connection: Connection[Any], pks: Iterable[int]) -> None:
    """Remove the ids from what unfinished searches by hashtag have noted."""
    for pk in pks:
        connection.execute(_SEARCHES, {"pk": pk})


def remove(connection: Connection[Any], persons: Iterable[UUID]) -> None:
    """Remove the people, and with them their blogs and all that belongs to these."""
    connection.execute(_REMOVE, {"persons": sorted(set(persons))})
