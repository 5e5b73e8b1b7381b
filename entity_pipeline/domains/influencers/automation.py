"""Sensors and schedules: when each looks, and which job it launches. What a tick does is in `ticks.py`."""

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.influencers import jobs
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.gate import run_if_open


@dg.sensor(
    job=jobs.queue_job,
    name="influencers_queue_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches influencers_queue_job when a task is due and no run works on the queue.",
)
def queue_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.SensorResult:
    """Look for due tasks."""
    from entity_pipeline.domains.influencers.ticks import due_tasks

    return due_tasks(context, assets_db, settings)


@dg.schedule(
    job=jobs.recover_tasks_job,
    name="influencers_recover_tasks_schedule",
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 10 minutes: puts back tasks whose worker was lost, if there are any.",
)
def recover_tasks_schedule(
    assets_db: dg.ResourceParam[Database], settings: dg.ResourceParam[SettingsAccess]
) -> dg.RunRequest | dg.SkipReason:
    """Look for lapsed leases."""
    from entity_pipeline.domains.influencers.ticks import lost_tasks

    return lost_tasks(assets_db, settings)


@dg.schedule(
    job=jobs.schedule_updates_job,
    name="influencers_schedule_updates_schedule",
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 03:00 UTC: makes tasks for blogs scraped more than rescrape_after_days ago.",
)
def schedule_updates_schedule(settings: dg.ResourceParam[SettingsAccess]) -> dg.RunRequest | dg.SkipReason:
    """One run unless the domain is switched off."""
    return run_if_open(settings, InfluencerSettings)


@dg.schedule(
    job=jobs.discover_weekly_job,
    name="influencers_discover_weekly_schedule",
    cron_schedule="0 2 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Monday at 02:00 UTC: makes tasks for the hashtags of discover_hashtags.",
)
def discover_weekly_schedule(settings: dg.ResourceParam[SettingsAccess]) -> dg.RunRequest | dg.SkipReason:
    """One run unless the domain is switched off or names no hashtag."""
    from entity_pipeline.domains.influencers.ticks import weekly_discovery

    return weekly_discovery(settings)


sensors = [queue_sensor]
schedules = [recover_tasks_schedule, schedule_updates_schedule, discover_weekly_schedule]
