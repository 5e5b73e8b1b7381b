"""The schedules of this stage: when each looks, and which job it launches. What a tick does is in `ticks.py`."""

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.influencers.insights import jobs
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.gate import run_if_open


@dg.schedule(
    job=jobs.submit_job,
    name="influencers_insights_submit_schedule",
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 10 minutes: fetches pictures before they expire, and sends a batch when enough blogs wait.",
)
def insights_submit_schedule(
    context: dg.ScheduleEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.RunRequest | dg.SkipReason:
    """Look for tasks that wait."""
    from entity_pipeline.domains.influencers.insights.ticks import waiting_tasks

    return waiting_tasks(context, assets_db, settings)


@dg.schedule(
    job=jobs.poll_job,
    name="influencers_poll_batches_schedule",
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes: looks at the open batches.",
)
def poll_batches_schedule(
    context: dg.ScheduleEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiBatches],
) -> dg.RunRequest | dg.SkipReason:
    """Look for open batches."""
    from entity_pipeline.domains.influencers.insights.ticks import open_batches

    return open_batches(context, jobs.poll_job.name, assets_db, settings, gemini)


@dg.schedule(
    job=jobs.retry_stale_job,
    name="influencers_retry_stale_batches_schedule",
    cron_schedule="5 */2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 2 hours: cancels batches that are older than 26 hours.",
)
def retry_stale_batches_schedule(
    context: dg.ScheduleEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiBatches],
) -> dg.RunRequest | dg.SkipReason:
    """Look for open batches; the run knows which are too old."""
    from entity_pipeline.domains.influencers.insights.ticks import open_batches

    return open_batches(context, jobs.retry_stale_job.name, assets_db, settings, gemini)


@dg.schedule(
    job=jobs.retention_job,
    name="influencers_insights_retention_schedule",
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 04:30 UTC: removes insights older than insights_retention_days.",
)
def insights_retention_schedule(settings: dg.ResourceParam[SettingsAccess]) -> dg.RunRequest | dg.SkipReason:
    """One run unless the domain is switched off."""
    return run_if_open(settings, InfluencerSettings)


schedules = [
    insights_submit_schedule,
    poll_batches_schedule,
    retry_stale_batches_schedule,
    insights_retention_schedule,
]
