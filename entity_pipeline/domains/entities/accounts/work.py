"""A run of `instagram_accounts`: its days are taken in together, and reported one by one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep
from entity_pipeline.domains.entities.accounts.intake import take_in
from entity_pipeline.domains.entities.accounts.queries.intake import (
    IntakeCounts,
    count_unusable_metadata,
    most_tagged_of_cohort,
)
from entity_pipeline.domains.entities.partitions import cohort_days, last_day
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.reporting.metadata import refused_metadata, rows_table
from entity_pipeline.shared.reporting.partitions import EMPTY_COHORT
from entity_pipeline.shared.runs.gate import open_settings


def take_in_accounts(
    context: dg.AssetExecutionContext, assets_db: Database, operation_db: Database, settings: SettingsAccess
) -> dg.MaterializeResult:
    """Bring the accounts tagged on the run's days into the operation database."""
    open_settings(settings, EntitySettings)
    days = cohort_days(context.partition_keys)
    last = last_day(datetime.now(UTC))
    taken_in = patiently(lambda: _take_in(assets_db, operation_db, days, last))
    for day in days:
        context.add_asset_metadata(taken_in[day], partition_key=day.isoformat())
    unusable = patiently_on(operation_db, count_unusable_metadata)
    if unusable:
        context.log.warning(
            f"{unusable} accounts can't be enriched: their metadata, or its entity_enrichment, is not a JSON object."
        )
    return dg.MaterializeResult()


def _take_in(
    assets_db: Database, operation_db: Database, days: Sequence[date], last: date
) -> dict[date, Mapping[str, Any]]:
    """Take in the days of one run; returns the metadata of each."""
    with (
        assets_db.connection() as assets,
        assets_db.connection() as lister,
        operation_db.connection() as guard,
        operation_db.connection() as operation,
        operation_db.connection() as second_writer,
    ):
        counts = take_in(assets, lister, guard, [operation, second_writer], days, last)
        sweep(operation, assets, give_up_at=math.inf)
        samples = {day: most_tagged_of_cohort(operation, day) for day in days}
    return {
        day: _metadata(counts[day], samples[day]) if samples[day] or counts[day].refused else EMPTY_COHORT
        for day in days
    }


def _metadata(counts: IntakeCounts, most_tagged: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    numbers = asdict(counts) | {"refused": len(counts.refused)}
    return {**numbers, **refused_metadata(counts.refused), "most_tagged": rows_table(most_tagged)}
