"""The Dagster definitions of the entities domain."""

import dagster as dg

from entity_pipeline.domains.entities.accounts.asset import instagram_accounts
from entity_pipeline.domains.entities.accounts.queue_asset import (
    changed_accounts_sensor,
    enrichment_queue,
    enrichment_queue_schedule,
)
from entity_pipeline.domains.entities.automation import schedules, sensors
from entity_pipeline.domains.entities.checks import checks
from entity_pipeline.domains.entities.jobs import jobs
from entity_pipeline.domains.entities.links.asset import catalog_links
from entity_pipeline.domains.entities.profiles.asset import instagram_profiles
from entity_pipeline.domains.entities.reviews.asset import gemini_reviews
from entity_pipeline.domains.entities.tags.asset import tagged_usernames
from entity_pipeline.domains.entities.tags.raw_posts import raw_posts


def entities_definitions() -> dg.Definitions:
    """Assets, jobs, sensors and schedules, without resources."""
    return dg.Definitions(
        assets=[
            raw_posts,
            tagged_usernames,
            instagram_accounts,
            instagram_profiles,
            gemini_reviews,
            catalog_links,
            enrichment_queue,
        ],
        asset_checks=checks,
        jobs=jobs,
        sensors=[*sensors, changed_accounts_sensor],
        schedules=[*schedules, enrichment_queue_schedule],
    )
