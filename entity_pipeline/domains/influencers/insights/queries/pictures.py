"""Which pictures of waiting blogs are stored, and under which keys."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.domains.influencers.models import TaskType

_WAITING_BLOGS = """
select blog_id from scrape_tasks
where task_type = %(type)s and status = 'pending' and due_at <= clock_timestamp()
order by due_at, id limit %(most)s
"""
_TO_FETCH = """
select exists (
  select from scrape_tasks t join blogs b on b.id = t.blog_id
  where t.task_type = %(type)s and t.status = 'pending' and t.due_at <= clock_timestamp() and (
    (b.avatar_url is not null and b.insights_meta ->> 'avatar_name' is null)
    or exists (
      select from (
        select thumbnail_url, thumbnail_key from blog_posts p where p.blog_id = b.id
        order by taken_at desc, platform_id desc limit %(most)s
      ) newest
      where thumbnail_url is not null and thumbnail_key is null
    )
  )
)
"""
# Under the address it was fetched from: a later scrape may have found another picture.
_POST_STORED = """
update blog_posts set thumbnail_key = %(key)s
where blog_id = %(blog)s and code = %(code)s and thumbnail_url = %(url)s and thumbnail_key is distinct from %(key)s
"""
_POST_GONE = """
update blog_posts set thumbnail_url = null where blog_id = %(blog)s and code = %(code)s and thumbnail_url = %(url)s
"""
# Its name is noted whether it could be stored or not, so that it is fetched once.
_AVATAR = """
update blogs set avatar_key = coalesce(%(key)s, avatar_key),
  insights_meta = insights_meta || jsonb_build_object('avatar_name', %(name)s::text)
where id = %(blog)s and avatar_url = %(url)s
  and (avatar_key, insights_meta ->> 'avatar_name')
    is distinct from (coalesce(%(key)s, avatar_key), %(name)s::text)
"""
_UNUSED = """
select distinct key from unnest(%s::text[]) as one(key)
where not exists (select from blogs where avatar_key = key)
  and not exists (select from blog_posts where thumbnail_key = key)
"""


def unused_pictures(connection: psycopg.Connection[Any], keys: Sequence[str]) -> Sequence[str]:
    """Those of the stored pictures that no row has."""
    return [row[0] for row in connection.execute(_UNUSED, [list(keys)])]


def waiting_blogs(connection: psycopg.Connection[Any], most: int) -> Sequence[UUID]:
    """The blogs whose insights are due, the longest-waiting first."""
    values = {"type": TaskType.AI_ANALYSIS, "most": most}
    return [row[0] for row in connection.execute(_WAITING_BLOGS, values)]


def has_pictures_to_fetch(connection: psycopg.Connection[Any], most: int) -> bool:
    """Whether a waiting blog lacks one of the pictures of its `most` newest posts, or its avatar."""
    row = connection.execute(_TO_FETCH, {"type": TaskType.AI_ANALYSIS, "most": most}).fetchone()
    return row is not None and row[0] is True


def note_thumbnail(
    connection: psycopg.Connection[Any], blog: UUID, code: str, url: str, key: str | None
) -> None:
    """The picture of a post is stored under this key, or (None) will never be: its address is dead."""
    statement = _POST_GONE if key is None else _POST_STORED
    connection.execute(statement, {"blog": blog, "code": code, "url": url, "key": key})


def note_avatar(
    connection: psycopg.Connection[Any], blog: UUID, url: str, name: str, key: str | None
) -> None:
    """The avatar of this name is stored under this key, or (None) could not be, and the former one stays."""
    connection.execute(_AVATAR, {"blog": blog, "url": url, "name": name, "key": key})
