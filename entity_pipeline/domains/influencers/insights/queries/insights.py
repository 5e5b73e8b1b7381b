"""Write what was answered about blogs, and remove what is old."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from entity_pipeline.core.jsonb import json_object, jsonb_text
from entity_pipeline.domains.influencers.insights.logic.waiting import Waiting
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip

# A blog that has become private, or is scraped again, keeps that state.
_ACTIVE: LiteralString = "case scrape_status when 'analyzing' then 'active' else scrape_status end"

_DESCRIBED: LiteralString = f"""
update blogs set ai_insights = %(insights)s::jsonb, ai_confidence = %(confidence)s, ai_analyzed_at = clock_timestamp(),
  insights_meta = jsonb_strip_nulls(jsonb_build_object('avatar_name', insights_meta -> 'avatar_name'))
    || %(meta)s::jsonb,
  scrape_status = {_ACTIVE}, updated_at = clock_timestamp()
where id = %(blog)s and {{held}}
"""
_LAST: LiteralString = f"""
update blogs set insights_meta = insights_meta || jsonb_build_object('last', %(last)s::jsonb),
  scrape_status = case when %(is_over)s then {_ACTIVE} else scrape_status end, updated_at = clock_timestamp()
where id = %(blog)s and {{held}}
"""
_ACTIVATE: LiteralString = """
update blogs set scrape_status = 'active', updated_at = clock_timestamp()
where id = %(blog)s and scrape_status = 'analyzing' and {held}
"""
# Their task ended without their stage, for example because its worker was lost too often.
_STRANDED = """
with stranded as (
  select id from blogs b
  where scrape_status = 'analyzing' and not exists (
    select from scrape_tasks t where t.blog_id = b.id and t.status in ('pending', 'running')
  )
  order by id limit 1000 for update skip locked
)
update blogs b set scrape_status = 'active', updated_at = clock_timestamp() from stranded s where b.id = s.id
"""
_WAITING = """
select count(*), min(due_at) from (
  select due_at from scrape_tasks
  where task_type = %(type)s and status = 'pending' and due_at <= clock_timestamp() order by due_at limit 1000
) due
"""
_EXPIRED = """
with old as (
  select id from blogs where ai_analyzed_at < %(before)s order by ai_analyzed_at limit %(most)s for update skip locked
), gone as (
  delete from blog_categories c using old where c.blog_id = old.id
)
update blogs b set ai_insights = null, ai_confidence = null, ai_analyzed_at = null, insights_meta = '{}',
  updated_at = clock_timestamp()
from old where b.id = old.id returning b.id
"""
_PENDING = """
select blog_id from scrape_tasks where task_type = %(type)s and status = 'pending' order by due_at, id limit %(most)s
"""
_DESCRIPTIONS = """
select username, ai_insights, insights_meta -> 'evidence' from blogs
where username = any(%s::text[]) and ai_insights is not null
"""
_ABSENT = "select s.id from unnest(%s::text[]) as s(id) where not exists (select from blogs b where b.id::text = s.id)"


def store_description(
    trip: FencedTrip, blog: UUID, insights: Mapping[str, Any], confidence: float, meta: Mapping[str, Any]
) -> None:
    """Replace the insights of a blog."""
    values = {"insights": jsonb_text(insights), "meta": jsonb_text(meta), "blog": blog}
    trip.add(_DESCRIBED, values | {"confidence": round(confidence, 2)})


def store_last(trip: FencedTrip, blog: UUID, last: Mapping[str, Any], *, is_over: bool) -> None:
    """Note the last answer, which gave no insights; the former ones stay. `is_over`: it is not asked about again."""
    trip.add(_LAST, {"blog": blog, "last": jsonb_text(last), "is_over": is_over})


def activate(trip: FencedTrip, blog: UUID) -> None:
    """The blog does not wait for insights any more."""
    trip.add(_ACTIVATE, {"blog": blog})


def activate_stranded(connection: psycopg.Connection[Any]) -> int:
    """Blogs that wait for insights although no task is open about them; returns their number."""
    return connection.execute(_STRANDED).rowcount


def waiting(connection: psycopg.Connection[Any]) -> Waiting:
    """The due tasks, counted up to 1,000."""
    row = connection.execute(_WAITING, {"type": TaskType.AI_ANALYSIS}).fetchone()
    return Waiting(*row) if row is not None else Waiting(0, None)


def pending_blogs(connection: psycopg.Connection[Any], most: int = 10_000) -> Sequence[UUID]:
    """The blogs of all tasks that wait, due or not, at most `most`."""
    return [row[0] for row in connection.execute(_PENDING, {"type": TaskType.AI_ANALYSIS, "most": most})]


def descriptions(
    connection: psycopg.Connection[Any], usernames: Sequence[str]
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The stored insights and their evidence, by username; blogs without insights are left out."""
    rows = connection.execute(_DESCRIPTIONS, [list(usernames)])
    return {row[0]: (json_object(row[1]), json_object(row[2])) for row in rows}


def remove_expired(connection: psycopg.Connection[Any], before: datetime, most: int) -> Sequence[UUID]:
    """Remove insights that were made before then, with their categories; returns the blogs."""
    return [row[0] for row in connection.execute(_EXPIRED, {"before": before, "most": most})]


def without_blog(connection: psycopg.Connection[Any], subjects: Sequence[str]) -> Sequence[str]:
    """Those of the subjects that have no blog."""
    return [row[0] for row in connection.execute(_ABSENT, [list(subjects)])]
