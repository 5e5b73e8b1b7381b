"""The job that takes measures again, and its schedule. What a tick does is in `work.py`."""

from datetime import timedelta

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.scraping.asset import blog_metrics
from entity_pipeline.shared.runs.tags import job_tags

metrics_job = dg.define_asset_job(
    "influencers_metrics_job",
    selection=dg.AssetSelection.assets(blog_metrics),
    tags=job_tags(KEY, longest=timedelta(minutes=60)),
    description="Takes the measures of blogs again after a change of the formulas. Asks nothing.",
)


@dg.schedule(
    job=metrics_job,
    name="influencers_metrics_schedule",
    cron_schedule="40 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 03:40 UTC: takes measures again that come from a former version of the formulas.",
)
def metrics_schedule(
    assets_db: dg.ResourceParam[Database], settings: dg.ResourceParam[SettingsAccess]
) -> dg.RunRequest | dg.SkipReason:
    """Look for measures of a former version."""
    from entity_pipeline.domains.influencers.scraping.work import former_measures

    return former_measures(assets_db, settings)


jobs = [metrics_job]
schedules = [metrics_schedule]
