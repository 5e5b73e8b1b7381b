"""Read what is known of blogs, for questions and for answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.influencers.insights.logic.blog_facts import (
    MOST_POSTS,
    BlogFacts,
    HighlightFacts,
    PostFacts,
)

# Sent posts stay readable when newer ones came meanwhile.
_MOST_READ = 3 * MOST_POSTS

_BLOGS = """
select b.id, username, full_name, biography, external_url, business_category, is_verified, is_business, follower_count,
  following_count, media_count, er::float8, er_reels::float8, er_trend, posts_per_week::float8, avatar_url, avatar_key,
  scrape_status, ai_insights is not null as has_insights, insights_meta,
  array(
    select jsonb_build_object('code', code, 'taken_at', taken_at, 'media_type', media_type,
      'product_type', product_type, 'caption_text', left(caption_text, 5000), 'hashtags', hashtags,
      'mentions', mentions, 'sponsors', sponsors, 'like_count', like_count, 'comment_count', comment_count,
      'play_count', play_count, 'location_name', location_name, 'is_pinned', is_pinned,
      'is_paid_partnership', is_paid_partnership, 'thumbnail_url', thumbnail_url, 'thumbnail_key', thumbnail_key)
    from (select * from blog_posts p where p.blog_id = b.id order by taken_at desc, platform_id desc limit %(posts)s) p
    order by taken_at desc, platform_id desc
  ) as posts,
  array(
    select jsonb_build_object('title', title, 'story_mentions', story_mentions, 'story_locations', story_locations,
      'story_links', story_links)
    from blog_highlights h where h.blog_id = b.id order by platform_id desc limit 50
  ) as highlights
from blogs b where b.id = any(%(ids)s::uuid[]) order by b.id
"""


def load_blogs(connection: psycopg.Connection[Any], ids: Sequence[UUID]) -> dict[UUID, BlogFacts]:
    """The blogs with these ids; those that were removed are left out."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_BLOGS, {"ids": list(ids), "posts": _MOST_READ}).fetchall()
    return {row["id"]: _blog(row) for row in rows}


def _blog(row: dict[str, Any]) -> BlogFacts:
    posts = [
        PostFacts(**post | {"taken_at": datetime.fromisoformat(post["taken_at"])}) for post in row["posts"]
    ]
    highlights = [HighlightFacts(**one) for one in row["highlights"]]
    meta = json_object(row["insights_meta"])
    return BlogFacts(**row | {"posts": posts, "highlights": highlights, "insights_meta": meta})
