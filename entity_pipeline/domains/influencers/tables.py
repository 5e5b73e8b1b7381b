"""The columns of each asset's table that the Dagster UI shows."""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.shared.reporting.tables import Column
from entity_pipeline.shared.reporting.tables import table_metadata as shown_table

_COLUMNS: dict[str, Sequence[Column]] = {
    "scrape_tasks": (
        ("task_type", "text", "full_scrape, ai_analysis or discover"),
        ("task_key", "text", "the blog's id; of discover, the hashtag"),
        ("status", "text", "pending, running, done or failed"),
        ("priority", "int", "1 is the most urgent, 10 the least"),
        ("attempts", "int", "attempts that failed, and the one at work"),
        ("steps", "jsonb", "what of the work is stored already"),
        ("outcome", "text", "how it ended, where that is not self-evident"),
        ("due_at", "timestamptz", "when it may be claimed"),
        ("created_at", "timestamptz", "its UTC day is its partition"),
    ),
    "blogs": (
        ("username", "text", "in lower case; follows renames"),
        ("platform_id", "bigint", "the numeric id at the platform, which outlives renames"),
        ("follower_count", "bigint", "as the last scrape saw it"),
        ("er, er_reels, posts_per_week", "numeric", "measures; metrics says what they rest on"),
        ("scrape_status", "text", "pending, scraping, analyzing, active, private, deleted or failed"),
        ("scraped_at", "timestamptz", "the last scrape"),
    ),
    "blog_posts": (
        ("blog_id, platform_id", "uuid, bigint", "the post"),
        ("like_count", "bigint", "null where likes_hidden"),
        ("play_count", "bigint", "null unless plays_known"),
        ("hashtags, mentions, sponsors", "text[]", "named in the caption, or as partners"),
        ("taken_at", "timestamptz", "when it was published"),
    ),
    "blog_highlights": (
        ("blog_id, platform_id", "uuid, bigint", "the highlight"),
        ("story_mentions, story_locations, story_links", "text[]", "from its stories"),
        ("stories_read_at", "timestamptz", "when the stories were read; null: not yet"),
    ),
    "hashtag_discoveries": (
        ("hashtag, looked_at", "text, timestamptz", "one search"),
        ("posts, people", "int", "posts on its pages, and their authors"),
        ("known, refused, added", "int", "authors who were there, were left out, or were taken in"),
    ),
}


def table_metadata(asset: str) -> dict[str, Any]:
    """The definition metadata that the UI shows as table name and columns."""
    return shown_table(f"assets.public.{asset}", _COLUMNS[asset])
