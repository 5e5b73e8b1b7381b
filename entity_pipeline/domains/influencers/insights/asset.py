"""`ai_insights`, what a model says about blogs, and `blog_categories`. What a run does is in `work.py`."""

from datetime import timedelta
from typing import Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.shared.reporting.tables import OWNERS, table_metadata
from entity_pipeline.shared.runs.tags import pool

Work = Literal["collect_and_submit", "submit", "collect", "retry_stale", "remove_old"]
# The retention run works on both every day.
DAILY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(days=3))
_INSIGHTS = (
    ("ai_insights", "jsonb", "life situation, lifestyle, content, commercial, audience, confidence, notes"),
    ("ai_confidence", "numeric", "0 to 1, by the model"),
    ("ai_analyzed_at", "timestamptz", "when they were stored"),
    (
        "insights_meta",
        "jsonb",
        "model, prompt, input hash, ledger row, the posts behind each value, what was dropped",
    ),
    ("avatar_key, thumbnail_key", "text", "the stored pictures, by their keys in the bucket"),
)
_CATEGORIES = (
    ("blog_id, category_id", "uuid, int", "the blog and one of its categories"),
    ("is_primary", "bool", "that of the primary topic"),
)


class InsightsConfig(dg.Config):
    """What a run does."""

    work: Work = Field(
        default="collect_and_submit",
        description=(
            "collect: look at the open batches and store what was answered. submit: send the waiting blogs in batches, "
            "when enough wait. retry_stale: collect, and cancel batches older than 26 hours. remove_old: remove "
            "insights older than insights_retention_days."
        ),
    )


@dg.asset(
    name="ai_insights",
    group_name=KEY,
    owners=OWNERS,
    kinds={"gemini", "postgres"},
    deps=[dg.AssetKey("blogs"), dg.AssetKey("blog_posts"), dg.AssetKey("blog_highlights")],
    metadata=table_metadata("assets.public.blogs", _INSIGHTS),
    tags={"database": "assets"},
    pool=pool(KEY, "gemini"),
    freshness_policy=DAILY,
)
def ai_insights(
    context: dg.AssetExecutionContext,
    config: InsightsConfig,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiBatches],
    instagram: dg.ResourceParam[InstagramAccess],
    r2: dg.ResourceParam[ObjectStore],
    tracing: dg.ResourceParam[Tracing],
) -> dg.MaterializeResult:
    """What a model says about scraped blogs, each statement with the posts it rests on; asked in batches at half price.

    - **Reads** the `ai_analysis` tasks of `scrape_tasks`, and of their blogs the profile, posts and highlights.
    - **Writes** `blogs.ai_insights` with its evidence, the pictures of posts into the bucket, `blog_categories`, and
      ends the tasks. A blog that Gemini refuses to describe becomes active without insights.
    - **A re-run** pays for nothing twice: what is unchanged since it was described is not asked again, a batch is found
      by its name in the ledger, and a paid answer that was not stored yet is taken from there.
    """
    from entity_pipeline.domains.influencers.insights.work import InsightsRun

    with tracing.step("ai_insights"):
        run = InsightsRun(assets_db, settings, gemini, instagram, r2, context.run.run_id)
        return run.work(config.work, warn=context.log.warning)


@dg.asset(
    name="blog_categories",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[ai_insights],
    metadata=table_metadata("assets.public.blog_categories", _CATEGORIES),
    tags={"database": "assets"},
    freshness_policy=DAILY,
)
def blog_categories(assets_db: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    """The categories of described blogs, matched from the stored topics by name or alias; never invented.

    - **Reads** `blogs.ai_insights` and `categories`.
    - **Writes** the rows of `blog_categories` that differ, and which topics have no category.
    - **A re-run** is free and asks no outside system: add an alias to `categories`, then run it.
    """
    from entity_pipeline.domains.influencers.insights.work import match_categories_again

    return match_categories_again(assets_db)
