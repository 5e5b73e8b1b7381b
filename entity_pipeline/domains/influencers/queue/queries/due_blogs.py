"""Blogs that were scraped too long ago and for which no task is open."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.domains.influencers.models import PLATFORM

_DUE = """
select b.id, b.scraped_at from blogs b
where b.scrape_status in ('active', 'analyzing', 'private') and b.platform = %(platform)s
  and b.scraped_at < clock_timestamp() - %(age)s and (b.scraped_at, b.id) > (%(at)s, %(id)s)
  and not exists (
    select from scrape_tasks t
    where t.task_type = 'full_scrape' and t.task_key = b.id::text and t.status in ('pending', 'running')
  )
order by b.scraped_at, b.id limit %(most)s
"""


def due_blogs(connection: Connection[Any], age: timedelta, at_once: int) -> Iterator[list[UUID]]:
    """Their ids, those that were scraped longest ago first, in lists of at most `at_once`."""
    at, id_ = datetime.min.replace(tzinfo=UTC), UUID(int=0)
    while True:
        values = {"platform": PLATFORM, "age": age, "at": at, "id": id_, "most": at_once}
        rows = connection.execute(_DUE, values).fetchall()
        if not rows:
            return
        id_, at = rows[-1]
        yield [row[0] for row in rows]
