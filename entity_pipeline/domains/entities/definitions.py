"""Everything of the entities domain that Dagster loads."""

import dagster as dg

from entity_pipeline.domains.entities.alerting import alerts_sensor
from entity_pipeline.domains.entities.assets.catalog_links import catalog_links
from entity_pipeline.domains.entities.assets.gemini_quota import gemini_quota
from entity_pipeline.domains.entities.assets.gemini_reviews import gemini_reviews
from entity_pipeline.domains.entities.assets.gemini_spend_daily import gemini_spend_daily
from entity_pipeline.domains.entities.assets.instagram_accounts import instagram_accounts
from entity_pipeline.domains.entities.assets.instagram_profiles import instagram_profiles
from entity_pipeline.domains.entities.assets.raw_posts import raw_posts
from entity_pipeline.domains.entities.assets.tagged_usernames import tagged_usernames
from entity_pipeline.domains.entities.automation import schedules, sensors
from entity_pipeline.domains.entities.checks import checks
from entity_pipeline.domains.entities.jobs import jobs


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
            gemini_spend_daily,
            gemini_quota,
        ],
        asset_checks=checks,
        jobs=jobs,
        sensors=[*sensors, alerts_sensor],
        schedules=schedules,
    )
