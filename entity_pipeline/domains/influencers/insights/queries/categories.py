"""The categories, and those of blogs."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from entity_pipeline.core.jsonb import json_items, jsonb_text
from entity_pipeline.domains.influencers.insights.logic.categories import Category, CategoryNames, Matched
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip

# Only rows that differ are touched. Blogs in `blogs` without a wanted row lose their categories.
_REPLACE: LiteralString = """
with wanted as (
  select * from unnest(%(blog_ids)s::uuid[], %(category_ids)s::int[], %(primaries)s::bool[])
    as w(blog_id, category_id, is_primary)
), gone as (
  delete from blog_categories b
  where blog_id = any(%(blogs)s::uuid[]) and {held}
    and not exists (select from wanted w where w.blog_id = b.blog_id and w.category_id = b.category_id)
  returning 1
), put as (
  insert into blog_categories as b (blog_id, category_id, is_primary)
  select blog_id, category_id, is_primary from wanted
  where exists (select from blogs where id = blog_id) and {held}
  order by blog_id, category_id
  on conflict (blog_id, category_id) do update set is_primary = excluded.is_primary
    where b.is_primary is distinct from excluded.is_primary
  returning 1
), noted as (
  update blogs set insights_meta = jsonb_set(insights_meta, '{{unmatched_topics}}', t.unmatched)
  from (select * from unnest(%(blogs)s::uuid[], %(unmatched)s::jsonb[]) as u(blog_id, unmatched)) t
  where id = t.blog_id and insights_meta -> 'unmatched_topics' is distinct from t.unmatched and ai_insights is not null
    and {held}
)
select (select count(*) from gone) + (select count(*) from put)
"""
_TOPICS = """
select id, ai_insights -> 'content' ->> 'primary_topic' as first_topic,
  ai_insights -> 'content' -> 'secondary_topics' as other_topics
from blogs where ai_insights is not null and id > %(after)s order by id limit %(most)s
"""


def load_categories(connection: psycopg.Connection[Any]) -> CategoryNames:
    """All categories by their names."""
    with connection.cursor(row_factory=class_row(Category)) as cursor:
        return CategoryNames.of(cursor.execute("select id, code, name, aliases from categories order by id"))


def replace_categories(connection: psycopg.Connection[Any], matched: Mapping[UUID, Matched]) -> int:
    """Make these the categories of the blogs, and list their unmatched topics; returns how many rows changed."""
    statement = sql.SQL(_REPLACE).format(held=sql.SQL("true"))
    row = connection.execute(statement, _rows(matched)).fetchone()
    return int(row[0]) if row is not None else 0


def store_categories(trip: FencedTrip, blog_id: UUID, matched: Matched) -> None:
    """The same for the blog of a task."""
    trip.add(_REPLACE, _rows({blog_id: matched}))


def _rows(matched: Mapping[UUID, Matched]) -> dict[str, Any]:
    rows = [
        (blog_id, category, is_primary)
        for blog_id, found in matched.items()
        for category, is_primary in found.categories.items()
    ]
    return {
        "blogs": list(matched),
        "unmatched": [jsonb_text(list(found.unmatched)) for found in matched.values()],
        "blog_ids": [row[0] for row in rows],
        "category_ids": [row[1] for row in rows],
        "primaries": [row[2] for row in rows],
    }


def stored_topics(
    connection: psycopg.Connection[Any], after: UUID, most: int
) -> Sequence[tuple[UUID, str | None, Sequence[str]]]:
    """The primary and the secondary topics of described blogs, by their ids, behind the id `after`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TOPICS, {"after": after, "most": most}).fetchall()
    return [
        (
            row["id"],
            row["first_topic"],
            [topic for topic in json_items(row["other_topics"]) if isinstance(topic, str)],
        )
        for row in rows
    ]
