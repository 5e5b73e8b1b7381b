"""`enrichment_queue`: the list of accounts that planners and people read, and what keeps it up to date.

The sensor follows writes within a minute; the asset also compares every row with its account once per day. Both run
even while the pipeline is switched off, because people still use the list and no outside system is called. What they
do is in `queue_work.py`.
"""

from datetime import timedelta
from typing import Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities import KEY, jobs
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS


class QueueConfig(dg.Config):
    """Options of one run."""

    compare: Literal["always", "when_due"] = Field(
        default="always",
        description=(
            "always: compare every row with its account, which also finds deletions. when_due: only if the last "
            "comparison is a day old."
        ),
    )


@dg.asset(
    name="enrichment_queue",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=["instagram_accounts", "instagram_profiles", "gemini_reviews", "catalog_links"],
    metadata=table_metadata("enrichment_queue"),
    tags={"database": database_of("enrichment_queue")},
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26)),  # compared every night
)
def enrichment_queue(
    context: dg.AssetExecutionContext,
    config: QueueConfig,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """One narrow row per account: its state, and when each stage may continue with it. Planners and lists read it.

    - **Reads** `instagram_accounts`: the rows written since the last sweep, and once per day all of them.
    - **Writes** the rows of `enrichment_queue` that differ, and removes those of deleted accounts.
    - **It decides nothing**: what a run does with an account depends on the account itself.
    - **A re-run** with unchanged accounts writes no row.
    """
    from entity_pipeline.domains.entities.accounts.queue_work import bring_up_to_date

    return bring_up_to_date(context, config, assets_db, operation_db)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Brings enrichment_queue up to date with all writes to instagram_accounts. Requests no run.",
)
def changed_accounts_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
) -> dg.SensorResult:
    """Sweep in the tick itself and not in a run, because it takes milliseconds when nothing has changed."""
    from entity_pipeline.domains.entities.accounts.queue_work import sweep_in_a_tick

    return sweep_in_a_tick(context, assets_db, operation_db)


enrichment_queue_schedule = dg.ScheduleDefinition(
    name="enrichment_queue_schedule",
    job=jobs.enrichment_queue_job,
    cron_schedule="20 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: compares enrichment_queue with every account, which also finds deleted ones.",
)
