"""Read one blog defensively: its JSON columns hold what Instagram and models wrote.

Nothing here is escaped (the templates do that), but only http and https addresses are returned.
"""

from collections.abc import Sequence
from typing import Any, cast

from psycopg import Connection

from entity_pipeline.admin.stored_values import instant, text, texts, whole
from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.core.text.web_address import web_address
from entity_pipeline.domains.influencers.models import REEL, ScrapeStatus
from entity_pipeline.domains.influencers.page.addresses import post_address, profile_address
from entity_pipeline.domains.influencers.page.blog_values import (
    BlogFigures,
    HighlightFigures,
    InsightFigures,
    MeasureFigures,
    PostFigures,
    SightingFigures,
)
from entity_pipeline.domains.influencers.page.queries.one_blog import (
    BlogRecord,
    HighlightRecord,
    PostRecord,
    blog_record,
    categories,
    highlight_records,
    post_records,
)
from entity_pipeline.domains.influencers.page.statements import dropped_of, notes_of, statements_of
from entity_pipeline.domains.influencers.page.task_list import task_rows
from entity_pipeline.domains.influencers.queue.queries.subjects import newest_tasks
from entity_pipeline.domains.influencers.queue.store import STORE

MOST_POSTS, MOST_HIGHLIGHTS, MOST_TASKS = 100, 50, 10


def blog_figures(connection: Connection[Any], username: str) -> BlogFigures | None:
    """All figures but the ledger's; None when there is no such blog."""
    row = blog_record(connection, username)
    if row is None:
        return None
    tasks = STORE.find(connection, newest_tasks(connection, row.id, MOST_TASKS))[::-1]
    return BlogFigures(
        id=row.id,
        username=row.username,
        address=profile_address(row.username),
        platform_id=row.platform_id,
        full_name=row.full_name,
        biography=row.biography,
        avatar_key=row.avatar_key,
        followers=row.followers,
        following=row.following,
        media_count=row.media_count,
        is_verified=row.is_verified,
        is_business=row.is_business,
        business_category=row.business_category,
        external_url=web_address(row.external_url),
        status=ScrapeStatus(row.status),
        scraped_at=row.scraped_at,
        source=row.source,
        created_at=row.created_at,
        updated_at=row.updated_at,
        measures=_measures(row),
        categories=categories(connection, row.id),
        insights=_insights(row),
        posts=[_post(post) for post in post_records(connection, row.id, MOST_POSTS)],
        highlights=[_highlight(one) for one in highlight_records(connection, row.id, MOST_HIGHLIGHTS)],
        sightings=_sightings(row.sightings),
        tasks=task_rows(connection, tasks),
        ledger=None,
        cost_usd=None,
    )


def _measures(row: BlogRecord) -> MeasureFigures:
    stored = json_object(row.metrics)
    window = json_items(stored.get("window_days"), 2)
    views = stored.get("er_views")
    version = stored.get("version")
    return MeasureFigures(
        er=row.er,
        er_reels=row.er_reels,
        er_views=float(views) if isinstance(views, int | float) and not isinstance(views, bool) else None,
        trend=cast(Any, row.trend),
        posts_per_week=row.posts_per_week,
        why={name: why for name, why in json_object(stored.get("why")).items() if isinstance(why, str)},
        posts=_count(stored, "n"),
        reels=_count(stored, "n_reels"),
        likes_hidden=_count(stored, "likes_hidden"),
        pinned=_count(stored, "pinned"),
        first_day=whole(window[0]) if len(window) == 2 else None,
        last_day=whole(window[1]) if len(window) == 2 else None,
        version=None if version is None else str(version)[:40],
        at=instant(stored.get("at")),
    )


def _insights(row: BlogRecord) -> InsightFigures:
    record = json_object(row.insights_meta)
    last = json_object(record.get("last"))
    return InsightFigures(
        groups=statements_of(row.ai_insights, record),
        notes=notes_of(row.ai_insights, record),
        dropped=dropped_of(record),
        confidence=row.ai_confidence,
        analyzed_at=row.ai_analyzed_at,
        model=text(record.get("model_version")) or text(record.get("model")),
        prompt_version=text(record.get("prompt_version")),
        schema_version=text(record.get("schema_version")),
        posts_sent=_count(record, "posts"),
        pictures_sent=_count(record, "pictures"),
        unmatched_topics=texts(record.get("unmatched_topics")),
        last_outcome=text(last.get("outcome")),
        last_at=instant(last.get("at")),
        last_detail=text(last.get("detail")),
    )


def _count(stored: Any, name: str) -> int | None:
    return whole(stored[name]) if type(stored.get(name)) is int else None


def _post(row: PostRecord) -> PostFigures:
    is_reel = row.product_type == REEL
    return PostFigures(
        code=row.code,
        address=post_address(row.code),
        taken_at=row.taken_at,
        caption=" ".join((row.caption or "").split()) or None,
        kind="reel" if is_reel else row.media_type or "photo",
        is_reel=is_reel,
        likes=row.likes,
        likes_hidden=row.likes_hidden,
        comments=row.comments,
        plays=row.plays,
        is_pinned=row.is_pinned,
        is_paid=bool(row.is_paid_partnership),
        sponsors=list(row.sponsors),
        location=row.location_name,
        thumbnail_key=row.thumbnail_key,
    )


def _highlight(row: HighlightRecord) -> HighlightFigures:
    return HighlightFigures(
        title=row.title,
        stories=row.media_count,
        mentions=list(row.story_mentions),
        locations=list(row.story_locations),
        links=[link for link in row.story_links if web_address(link)],
        is_read=row.stories_read_at is not None,
    )


def _sightings(stored: object) -> Sequence[SightingFigures]:
    looks = [json_object(look) for look in json_items(stored)]
    return [
        SightingFigures(at=instant(look.get("at")), outcome=text(look.get("outcome")) or "?")
        for look in looks
    ]
