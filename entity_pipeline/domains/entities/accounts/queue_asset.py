"""`enrichment_queue`: the list of accounts that planners and people read, and what keeps it up to date.

The sensor follows writes within a minute; the asset also compares every row with its account once per day. Both run
even while the pipeline is switched off, because people still use the list and no outside system is called.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason, joined
from entity_pipeline.domains.entities import KEY, jobs
from entity_pipeline.domains.entities.accounts.enrichment_queue import (
    SweepReport,
    compare,
    is_comparison_due,
    sweep,
)
from entity_pipeline.domains.entities.accounts.queries.queue import state_counts
from entity_pipeline.domains.entities.reasons import because
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.metadata import OWNERS, counts_table
from entity_pipeline.shared.runs.skips import skipped

STEP_LIMIT = timedelta(minutes=50)
TICK_LIMIT_S = 20.0
"""Dagster ends a tick after 60 s; the next tick sweeps the rest."""


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
    give_up_at = time.monotonic() + STEP_LIMIT.total_seconds()
    swept = patiently(lambda: _sweep(operation_db, assets_db, give_up_at))
    metadata: dict[str, Any] = {"swept_corrected": swept.corrected, "as_of": str(_said(swept))}
    now = datetime.now(UTC)
    due = patiently_on(assets_db, lambda assets: is_comparison_due(assets, now))
    if swept.is_finished and (due or config.compare == "always"):
        compared = patiently(lambda: _compare(operation_db, assets_db, give_up_at))
        metadata |= {"compared_corrected": compared.corrected, "compared_removed": compared.removed}
        if not compared.is_finished:
            context.log.warning(
                "The comparison did not finish within the time of a step; the next run continues it."
            )
    states = patiently_on(assets_db, state_counts)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "dagster/row_count": sum(states.values()),
            "accounts": counts_table(states, "state"),
        }
    )


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
    report = _sweep(operation_db, assets_db, time.monotonic() + TICK_LIMIT_S)
    events = []
    if report.corrected or report.removed:
        found: dict[str, Any] = {"swept_corrected": report.corrected, "as_of": str(_said(report))}
        events.append(dg.AssetObservation("enrichment_queue", metadata=found))
    brought = because("tick.rows_brought", n=f"{report.corrected:,}")
    return skipped(joined([brought, _said(report)]), context.cursor, events)


enrichment_queue_schedule = dg.ScheduleDefinition(
    name="enrichment_queue_schedule",
    job=jobs.enrichment_queue_job,
    cron_schedule="20 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: compares enrichment_queue with every account, which also finds deleted ones.",
)


def _sweep(operation_db: Database, assets_db: Database, give_up_at: float) -> SweepReport:
    with operation_db.connection() as operation, assets_db.connection() as assets:
        return sweep(operation, assets, give_up_at=give_up_at)


def _compare(operation_db: Database, assets_db: Database, give_up_at: float) -> SweepReport:
    with operation_db.connection() as operation, assets_db.connection() as assets:
        return compare(operation, assets, give_up_at=give_up_at)


def _said(report: SweepReport) -> Reason:
    if report.as_of is None:
        return because("tick.list_not_filled")
    as_of = because("tick.list_as_of", at=f"{report.as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return as_of if report.is_finished else joined([as_of, because("tick.sweep_goes_on")])
