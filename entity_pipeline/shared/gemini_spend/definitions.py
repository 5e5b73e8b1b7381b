"""The Dagster definitions of the Gemini spend."""

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg

from entity_pipeline.shared.gemini_spend.assets import gemini_quota, gemini_spend_daily
from entity_pipeline.shared.runs.tags import SHARED, job_tags

spend_job = dg.define_asset_job(
    "spend_job",
    selection=dg.AssetSelection.assets(gemini_spend_daily, gemini_quota),
    tags=job_tags(SHARED, longest=timedelta(minutes=10)),
    description="Rolls the Gemini ledger up by quota day, and shows today's quota. Calls no outside system.",
)

spend_schedule = dg.ScheduleDefinition(
    name="spend_schedule",
    job=spend_job,
    cron_schedule="5 * * * *",
    execution_timezone="America/Los_Angeles",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Five minutes past each hour: rolls the Gemini ledger up by quota day, and shows today's quota.",
)


def gemini_spend_definitions(domains: Iterable[dg.Definitions]) -> dg.Definitions:
    """The two assets, below all assets of the domains that name `gemini` among their kinds."""
    asking = [
        key
        for domain in domains
        for asset in domain.assets or ()
        if isinstance(asset, dg.AssetsDefinition)
        for key in asset.keys
        if "gemini" in asset.get_asset_spec(key).kinds
    ]
    spend_daily = gemini_spend_daily.map_asset_specs(lambda spec: spec.merge_attributes(deps=asking))
    return dg.Definitions(assets=[spend_daily, gemini_quota], jobs=[spend_job], schedules=[spend_schedule])
