"""A run of `gemini_quota`: today's figures of the ledger for people. Only the asset's own metadata is stored.

Today's rows come from the ledger itself, requests under way included. Only the days before come from
`gemini_spend_daily`, which holds nothing but requests that have ended.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.core.patience import patiently
from entity_pipeline.shared.gemini_spend.by_day import HISTORY_DAYS, QuotaDay, first_of_history, last_days
from entity_pipeline.shared.reporting.charts import columns_by_day
from entity_pipeline.shared.reporting.metadata import (
    drawn,
    quota_metadata,
    rows_table,
    units_in_words,
)


def quota_of_today(context: dg.AssetExecutionContext, gemini: GeminiAccess) -> dg.MaterializeResult:
    """Today's figures, and those of the days before."""
    status = patiently(gemini.quota)
    since = first_of_history(status.quota_day)
    kept = patiently(partial(gemini.spend, since))
    today = patiently(partial(gemini.spend_of_day, status.quota_day))
    history = last_days(
        [row for row in kept if row.quota_day < status.quota_day] + list(today), status.quota_day
    )
    said = day_in_words(status)
    unit = units_in_words(status.unit)
    context.log.info(f"{unit.capitalize()} of the Pacific day {status.quota_day}: {said}")
    chart = columns_by_day(
        f"{unit.capitalize()} per Pacific day",
        [(day.day, day.units(status.unit)) for day in history],
        status.cap,
    )
    return dg.MaterializeResult(
        metadata={
            "today": dg.MetadataValue.text(said),
            "last_30_days_picture": drawn(
                chart, f"{unit} of the last {HISTORY_DAYS} Pacific days, with today's cap"
            ),
            **quota_metadata(status),
            "today_by_model_and_step": rows_table([_of_step(row) for row in today]),
            "as_of": dg.MetadataValue.timestamp(datetime.now(UTC)),
            "last_30_days": rows_table([_of_day(day) for day in reversed(history)], most=HISTORY_DAYS),
        }
    )


def day_in_words(status: QuotaStatus) -> str:
    """How much of the day is used, in a sentence or two; short, since the UI does not break lines."""
    sentences = [f"{status.used:,} of {status.cap:,} used, {status.remaining:,} left."]
    if status.cap_reached:
        sentences.append(f"The cap is reached until {minute_in_words(status.resets_at)}.")
    if status.blocked_until is not None:
        sentences.append(f"Google refuses requests until {minute_in_words(status.blocked_until)}.")
    return " ".join(sentences)


def _of_step(row: SpendDay) -> dict[str, Any]:
    return {"model": row.model, "pipeline": row.pipeline, "step": row.step, **_counts(row)}


def _of_day(row: QuotaDay) -> dict[str, Any]:
    return {"day_pacific": row.day.isoformat(), **_counts(row)}


def _counts(row: SpendDay | QuotaDay) -> dict[str, Any]:
    return {
        "requests": row.requests,
        "grounded": row.grounded_requests,
        "queries": row.search_queries,
        "cost_usd": float(row.cost_usd),
    }
