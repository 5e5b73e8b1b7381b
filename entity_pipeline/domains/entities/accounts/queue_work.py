"""A run of `enrichment_queue`, and the tick that follows writes between the runs."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason, joined
from entity_pipeline.domains.entities.accounts.enrichment_queue import (
    SweepReport,
    compare,
    is_comparison_due,
    sweep,
)
from entity_pipeline.domains.entities.accounts.queries.queue import state_counts
from entity_pipeline.domains.entities.accounts.queue_asset import QueueConfig
from entity_pipeline.domains.entities.reasons import because
from entity_pipeline.shared.reporting.metadata import counts_table
from entity_pipeline.shared.runs.skips import skipped

STEP_LIMIT = timedelta(minutes=50)
TICK_LIMIT_S = 20.0
"""Dagster ends a tick after 60 s; the next tick sweeps the rest."""


def bring_up_to_date(
    context: dg.AssetExecutionContext, config: QueueConfig, assets_db: Database, operation_db: Database
) -> dg.MaterializeResult:
    """Sweep, compare if asked to or due, and count the states."""
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


def sweep_in_a_tick(
    context: dg.SensorEvaluationContext, assets_db: Database, operation_db: Database
) -> dg.SensorResult:
    """Sweep within the time of a tick."""
    report = _sweep(operation_db, assets_db, time.monotonic() + TICK_LIMIT_S)
    events = []
    if report.corrected or report.removed:
        found: dict[str, Any] = {"swept_corrected": report.corrected, "as_of": str(_said(report))}
        events.append(dg.AssetObservation("enrichment_queue", metadata=found))
    brought = because("tick.rows_brought", n=f"{report.corrected:,}")
    return skipped(joined([brought, _said(report)]), context.cursor, events)


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
