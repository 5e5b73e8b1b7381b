"""One blog for people: its row, its newest posts, its highlights and its categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.domains.influencers.page.blog_values import CategoryFigures

_BLOG = """
select id, username, platform_id, full_name, biography, avatar_key, follower_count as followers,
  following_count as following, media_count, is_verified, is_business, business_category, external_url, er, er_reels,
  er_trend as trend, posts_per_week, metrics, scrape_status as status, scraped_at, sightings, ai_insights,
  ai_confidence, ai_analyzed_at, insights_meta, source, created_at, updated_at
from blogs where platform = 'instagram' and username = %s
"""
_POSTS = """
select code, left(caption_text, 300) as caption, like_count as likes, likes_hidden, comment_count as comments,
  play_count as plays, media_type, product_type, thumbnail_key, location_name, is_pinned, is_paid_partnership,
  sponsors, taken_at
from blog_posts where blog_id = %s order by taken_at desc, platform_id desc limit %s
"""
_HIGHLIGHTS = """
select title, media_count, story_mentions, story_locations, story_links, stories_read_at
from blog_highlights where blog_id = %s order by platform_id desc limit %s
"""
_CATEGORIES = """
select c.code, c.name, bc.is_primary from blog_categories bc join categories c on c.id = bc.category_id
where bc.blog_id = %s order by bc.is_primary desc, c.name
"""


@dataclass(frozen=True, slots=True)
class BlogRecord:
    """A blog as stored; the JSON columns hold anything."""

    id: UUID
    username: str
    platform_id: int | None
    full_name: str | None
    biography: str | None
    avatar_key: str | None
    followers: int | None
    following: int | None
    media_count: int | None
    is_verified: bool | None
    is_business: bool | None
    business_category: str | None
    external_url: str | None
    er: Decimal | None
    er_reels: Decimal | None
    trend: str | None
    posts_per_week: Decimal | None
    metrics: Any
    status: str
    scraped_at: datetime | None
    sightings: Any
    ai_insights: Any
    ai_confidence: Decimal | None
    ai_analyzed_at: datetime | None
    insights_meta: Any
    source: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PostRecord:
    """A post as stored; `caption` is its beginning."""

    code: str
    caption: str | None
    likes: int | None
    likes_hidden: bool
    comments: int | None
    plays: int | None
    media_type: str | None
    product_type: str | None
    thumbnail_key: str | None
    location_name: str | None
    is_pinned: bool
    is_paid_partnership: bool | None
    sponsors: Sequence[str]
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class HighlightRecord:
    """A highlight as stored; its stories were read unless `stories_read_at` is None."""

    title: str | None
    media_count: int | None
    story_mentions: Sequence[str]
    story_locations: Sequence[str]
    story_links: Sequence[str]
    stories_read_at: datetime | None


def blog_record(connection: Connection[Any], username: str) -> BlogRecord | None:
    """The blog with this username in lower case; None when there is none."""
    return connection.cursor(row_factory=class_row(BlogRecord)).execute(_BLOG, [username]).fetchone()


def post_records(connection: Connection[Any], blog_id: UUID, limit: int) -> list[PostRecord]:
    """Its newest posts."""
    return list(connection.cursor(row_factory=class_row(PostRecord)).execute(_POSTS, [blog_id, limit]))


def highlight_records(connection: Connection[Any], blog_id: UUID, limit: int) -> list[HighlightRecord]:
    """Its highlights."""
    return list(
        connection.cursor(row_factory=class_row(HighlightRecord)).execute(_HIGHLIGHTS, [blog_id, limit])
    )


def categories(connection: Connection[Any], blog_id: UUID) -> list[CategoryFigures]:
    """Its categories, the primary one first."""
    return list(connection.cursor(row_factory=class_row(CategoryFigures)).execute(_CATEGORIES, [blog_id]))
