"""The Dagster definitions of the influencers domain."""

import dagster as dg

from entity_pipeline.domains.influencers.automation import schedules, sensors
from entity_pipeline.domains.influencers.discovery.asset import hashtag_discoveries
from entity_pipeline.domains.influencers.insights import automation as insights
from entity_pipeline.domains.influencers.insights.asset import ai_insights, blog_categories
from entity_pipeline.domains.influencers.insights.jobs import jobs as insights_jobs
from entity_pipeline.domains.influencers.jobs import jobs
from entity_pipeline.domains.influencers.queue.asset import scrape_tasks, scraped_blogs
from entity_pipeline.domains.influencers.scraping import automation as measures
from entity_pipeline.domains.influencers.scraping.asset import blog_metrics


def influencer_definitions() -> dg.Definitions:
    """Assets, jobs, sensors and schedules, without resources."""
    return dg.Definitions(
        assets=[scrape_tasks, scraped_blogs, blog_metrics, hashtag_discoveries, ai_insights, blog_categories],
        jobs=[*jobs, *measures.jobs, *insights_jobs],
        sensors=sensors,
        schedules=[*schedules, *measures.schedules, *insights.schedules],
    )
