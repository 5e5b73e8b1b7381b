"""The Dagster definitions of the influencers domain."""

import dagster as dg

from entity_pipeline.domains.influencers.insights import automation as insights
from entity_pipeline.domains.influencers.insights.asset import ai_insights, blog_categories
from entity_pipeline.domains.influencers.insights.jobs import jobs as insights_jobs


def influencer_definitions() -> dg.Definitions:
    """Assets, jobs, sensors and schedules, without resources."""
    return dg.Definitions(
        assets=[ai_insights, blog_categories],
        jobs=insights_jobs,
        schedules=insights.schedules,
    )
