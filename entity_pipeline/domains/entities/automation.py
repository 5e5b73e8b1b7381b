"""Sensors and the schedule: when each looks, and which job it launches. What a tick does is in `ticks.py`."""

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities import jobs


@dg.sensor(
    job=jobs.intake_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches intake_job for days whose posts changed, and for days with accounts without a cohort.",
)
def new_posts_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.SensorResult:
    """Watch `raw_posts` by (updated_at, id), and earlier requested runs, whose days the cursor has already passed."""
    from entity_pipeline.domains.entities.ticks import changed_posts

    return changed_posts(context, assets_db, operation_db, settings)


@dg.schedule(
    job=jobs.enrichment_job,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes: reviews the most-tagged pending accounts that fit into today's remaining quota.",
)
def enrichment_schedule(
    context: dg.ScheduleEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiAccess],
) -> list[dg.RunRequest] | dg.SkipReason:
    """One run for each cohort that has accounts among the chosen ones."""
    from entity_pipeline.domains.entities.ticks import next_enrichment

    return next_enrichment(context, assets_db, settings, gemini)


@dg.sensor(
    job=jobs.linking_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches linking_job for cohorts with reviewed accounts without a decision.",
)
def catalog_links_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.SensorResult:
    """Look for reviewed but undecided accounts."""
    from entity_pipeline.domains.entities.ticks import undecided_cohorts

    return undecided_cohorts(context, assets_db, operation_db, settings)


@dg.sensor(
    jobs=[jobs.enrichment_job, jobs.linking_job],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Launches once more the cohorts whose run failed or was cancelled: a run that dies after its last account "
        "leaves nothing pending, and its partition would never turn green. Costs nothing."
    ),
)
def unfinished_runs_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[SettingsAccess]
) -> dg.SensorResult:
    """Request runs with a limit of zero, which turn a cohort green if nothing in it is pending."""
    from entity_pipeline.domains.entities.ticks import unfinished_runs

    return unfinished_runs(context, settings)


sensors = [new_posts_sensor, catalog_links_sensor, unfinished_runs_sensor]
schedules = [enrichment_schedule]
