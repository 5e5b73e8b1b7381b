"""Blogs whose measures come from a former version of the formulas: read in parts, and written as a set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.domains.influencers.models import REEL
from entity_pipeline.domains.influencers.scraping import METRICS_VERSION
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures, PostFigures
from entity_pipeline.domains.influencers.scraping.queries.blog import measure_columns
from entity_pipeline.shared.database.round_trip import RoundTrip

_BLOGS = """
select b.id, b.metrics from blogs b
where b.id > %(after)s and b.metrics ?& array['page', 'at']
  and b.metrics -> 'version' <> %(version)s::text::jsonb
order by b.id limit %(most)s
"""
_POSTS = f"""
select b.id as blog_id, p.platform_id as pk, p.taken_at, p.like_count as likes, p.comment_count as comments,
  p.play_count as plays, p.likes_hidden, p.product_type is not distinct from %(reel)s as is_reel, p.is_pinned
from ({_BLOGS}) b, jsonb_array_elements_text(b.metrics -> 'page') with ordinality as page(pk, nth)
join blog_posts p on p.platform_id = page.pk::bigint
where p.blog_id = b.id
order by b.id, page.nth
"""
# Only over the measures that were read: a scrape in the meantime has newer ones.
_WRITE = """
update blogs b
set er = r.er, er_reels = r.er_reels, er_trend = r.er_trend, posts_per_week = r.posts_per_week, metrics = r.metrics,
  updated_at = clock_timestamp()
from jsonb_to_recordset(%(rows)s::jsonb) as r(id uuid, er numeric, er_reels numeric, er_trend text,
  posts_per_week numeric, metrics jsonb, former jsonb)
where b.id = r.id and b.metrics = r.former
"""
_MISSING = """
select format('%s: %s', name, why), count(*)
from blogs, jsonb_each_text(case jsonb_typeof(metrics -> 'why') when 'object' then metrics -> 'why' else '{}' end)
  as w(name, why)
group by 1
"""
_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OutdatedBlog:
    """A blog with the page of posts that its measures rest on."""

    id: UUID
    metrics: Mapping[str, Any]
    posts: Sequence[PostFigures]


def outdated_blogs(connection: Connection[Any], most: int, after: UUID = _BEFORE_ALL) -> list[OutdatedBlog]:
    """Up to `most` blogs in the order of their ids, from the one after `after`; one round trip."""
    values = {"after": after, "version": METRICS_VERSION, "most": most, "reel": REEL}
    trip = RoundTrip(connection)
    blogs = trip.ask(_BLOGS, values, lambda rows: rows)
    posts = trip.ask(_POSTS, values, lambda rows: rows)
    trip.go()
    pages: dict[UUID, list[PostFigures]] = {row["id"]: [] for row in blogs.value}
    for row in posts.value:
        blog_id = row.pop("blog_id")
        if blog_id in pages:
            pages[blog_id].append(PostFigures(**row))
    return [OutdatedBlog(row["id"], row["metrics"], pages[row["id"]]) for row in blogs.value]


def missing_measures(connection: Connection[Any]) -> dict[str, int]:
    """How many blogs lack a measure, by ``"measure: reason"``."""
    return dict(connection.execute(_MISSING).fetchall())


def write_measures(connection: Connection[Any], measured: Sequence[tuple[OutdatedBlog, Measures]]) -> int:
    """Replace the measures of these blogs; returns of how many, because a scrape may have been quicker."""
    rows = [
        {"id": blog.id, **measure_columns(measures), "metrics": measures.metrics, "former": blog.metrics}
        for blog, measures in measured
    ]
    return connection.execute(_WRITE, {"rows": jsonb_text(rows)}).rowcount
