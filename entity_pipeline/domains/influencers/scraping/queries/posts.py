"""Posts and highlights of a blog, written as sets. Rows that are the same stay untouched."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.domains.influencers.models import REEL
from entity_pipeline.domains.influencers.scraping.logic.highlight_rows import StoriesRow, TrayRow
from entity_pipeline.domains.influencers.scraping.logic.measures import PostFigures
from entity_pipeline.domains.influencers.scraping.logic.post_rows import PostRow
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip

# Plays that an earlier page showed stay known when this one leaves them out.
_POSTS = """
insert into blog_posts as p (blog_id, platform_id, code, caption_text, hashtags, mentions, like_count, likes_hidden,
  comment_count, play_count, plays_known, media_type, product_type, duration_s, thumbnail_url, location_id,
  location_name, location_lat, location_lng, is_pinned, is_paid_partnership, sponsors, coauthors, taken_at)
select %(blog)s, r.* from jsonb_to_recordset(%(rows)s::jsonb) as r(platform_id bigint, code text, caption_text text,
  hashtags text[], mentions text[], like_count bigint, likes_hidden boolean, comment_count bigint, play_count bigint,
  plays_known boolean, media_type text, product_type text, duration_s numeric, thumbnail_url text, location_id bigint,
  location_name text, location_lat double precision, location_lng double precision, is_pinned boolean,
  is_paid_partnership boolean, sponsors text[], coauthors bigint[], taken_at timestamptz)
where {held}
order by r.platform_id
on conflict (blog_id, platform_id) do update set
  code = excluded.code, caption_text = excluded.caption_text, hashtags = excluded.hashtags,
  mentions = excluded.mentions, like_count = excluded.like_count, likes_hidden = excluded.likes_hidden,
  comment_count = excluded.comment_count, play_count = coalesce(excluded.play_count, p.play_count),
  plays_known = excluded.plays_known or p.plays_known, media_type = excluded.media_type,
  product_type = excluded.product_type, duration_s = excluded.duration_s, thumbnail_url = excluded.thumbnail_url,
  location_id = excluded.location_id, location_name = excluded.location_name, location_lat = excluded.location_lat,
  location_lng = excluded.location_lng, is_pinned = excluded.is_pinned,
  is_paid_partnership = excluded.is_paid_partnership, sponsors = excluded.sponsors, coauthors = excluded.coauthors,
  taken_at = excluded.taken_at, updated_at = clock_timestamp()
where (p.code, p.caption_text, p.hashtags, p.mentions, p.like_count, p.likes_hidden, p.comment_count, p.play_count,
    p.plays_known, p.media_type, p.product_type, p.duration_s, p.thumbnail_url, p.location_id, p.location_name,
    p.location_lat, p.location_lng, p.is_pinned, p.is_paid_partnership, p.sponsors, p.coauthors, p.taken_at)
  is distinct from (excluded.code, excluded.caption_text, excluded.hashtags, excluded.mentions, excluded.like_count,
    excluded.likes_hidden, excluded.comment_count, coalesce(excluded.play_count, p.play_count),
    excluded.plays_known or p.plays_known, excluded.media_type, excluded.product_type, excluded.duration_s,
    excluded.thumbnail_url, excluded.location_id, excluded.location_name, excluded.location_lat,
    excluded.location_lng, excluded.is_pinned, excluded.is_paid_partnership, excluded.sponsors, excluded.coauthors,
    excluded.taken_at)
"""
_PLAYS = """
update blog_posts p set play_count = r.plays, plays_known = true, updated_at = clock_timestamp()
from unnest(%(pks)s::bigint[], %(plays)s::bigint[]) as r(pk, plays)
where p.blog_id = %(blog)s and p.platform_id = r.pk and p.play_count is distinct from r.plays and {held}
"""
_TRAY = """
insert into blog_highlights as h (blog_id, platform_id, title, media_count, cover_url)
select %(blog)s, r.* from jsonb_to_recordset(%(rows)s::jsonb)
  as r(platform_id bigint, title text, media_count integer, cover_url text)
where {held}
order by r.platform_id
on conflict (blog_id, platform_id) do update set
  title = excluded.title, media_count = excluded.media_count, cover_url = excluded.cover_url,
  updated_at = clock_timestamp()
where (h.title, h.media_count, h.cover_url) is distinct from (excluded.title, excluded.media_count, excluded.cover_url)
"""
_STORIES = """
update blog_highlights h
set story_mentions = r.story_mentions, story_locations = r.story_locations, story_links = r.story_links,
  stories_read_at = clock_timestamp(), updated_at = clock_timestamp()
from jsonb_to_recordset(%(rows)s::jsonb)
  as r(platform_id bigint, story_mentions text[], story_locations text[], story_links text[])
where h.blog_id = %(blog)s and h.platform_id = r.platform_id and {held}
"""
_FIGURES = """
select platform_id as pk, taken_at, like_count as likes, comment_count as comments, play_count as plays, likes_hidden,
  product_type is not distinct from %(reel)s as is_reel, is_pinned
from blog_posts where blog_id = %(blog)s and platform_id = any(%(pks)s)
order by array_position(%(pks)s::bigint[], platform_id)
"""


def store_posts(trip: FencedTrip, blog_id: UUID, rows: Sequence[PostRow]) -> None:
    """Insert or update the posts of a page."""
    _store(trip, _POSTS, blog_id, rows)


def store_plays(trip: FencedTrip, blog_id: UUID, plays: Mapping[int, int]) -> None:
    """Plays by pk, for the posts among them that are stored."""
    trip.add(_PLAYS, {"blog": blog_id, "pks": list(plays), "plays": list(plays.values())})


def store_tray(trip: FencedTrip, blog_id: UUID, rows: Sequence[TrayRow]) -> None:
    """Insert or update the highlights of a tray; one that is not in it stays, because a tray may be shown in part."""
    _store(trip, _TRAY, blog_id, rows)


def store_stories(trip: FencedTrip, blog_id: UUID, rows: Sequence[StoriesRow]) -> None:
    """What the stories of some highlights name, and that they were read now."""
    _store(trip, _STORIES, blog_id, rows)


def read_figures(connection: Connection[Any], blog_id: UUID, pks: Sequence[int]) -> list[PostFigures]:
    """What the measures need of these posts, in this order."""
    with connection.cursor(row_factory=class_row(PostFigures)) as cursor:
        values = {"blog": blog_id, "pks": list(pks), "reel": REEL}
        return cursor.execute(_FIGURES, values).fetchall()


def _store(trip: FencedTrip, statement: LiteralString, blog_id: UUID, rows: Sequence[Any]) -> None:
    if rows:
        trip.add(statement, {"blog": blog_id, "rows": jsonb_text([asdict(row) for row in rows])})
