"""`gemini_quota`: the ledger's day for people. Nothing is stored but this asset's own metadata.

Today's rows come from the ledger itself, requests under way included. Only the days before come from
`gemini_spend_daily`, which holds nothing but requests that have ended.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.core.patience import patiently
from entity_pipeline.shared.gemini_spend.spend_daily import GROUP, gemini_spend_daily
from entity_pipeline.shared.reporting.charts import columns_by_day
from entity_pipeline.shared.reporting.metadata import (
    OWNERS,
    drawn,
    quota_metadata,
    rows_table,
    units_in_words,
)

HISTORY_DAYS = 30


@dg.asset(
    name="gemini_quota",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"gemini", "postgres"},
    deps=[gemini_spend_daily],
    tags={"database": "assets"},
)
def gemini_quota(
    context: dg.AssetExecutionContext, gemini: dg.ResourceParam[GeminiAccess]
) -> dg.MaterializeResult:
    """What today's quota of Gemini is used for, what is left of it, and when it opens again.

    - **Reads** the ledger `gemini_usage_events` for the Pacific day that is now, and `gemini_spend_daily` for the 29
      days before.
    - **Writes** nothing but its metadata, and asks nobody outside.
    - **A re-run** only brings it up to date. `spend_schedule` does so five minutes past each hour, also while every
      domain is switched off; `entity-pipeline quota` has the figures to the second.
    """
    status = patiently(gemini.quota)
    since = status.quota_day - timedelta(days=HISTORY_DAYS - 1)
    kept = patiently(partial(gemini.spend, since))
    today = patiently(partial(gemini.spend_of_day, status.quota_day))
    history = by_day([row for row in kept if row.quota_day < status.quota_day] + list(today), since)
    said = day_in_words(status)
    unit = units_in_words(status.unit)
    context.log.info(f"{unit.capitalize()} of the Pacific day {status.quota_day}: {said}")
    chart = columns_by_day(
        f"{unit.capitalize()} per Pacific day",
        [(day.quota_day, units_of(day, status.unit)) for day in history],
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
        sentences.append(f"The cap is reached until {status.resets_at:%Y-%m-%d %H:%M} UTC.")
    if status.blocked_until is not None:
        sentences.append(f"Google refuses requests until {status.blocked_until:%Y-%m-%d %H:%M} UTC.")
    return " ".join(sentences)


def by_day(rows: Sequence[SpendDay], since: date) -> list[SpendDay]:
    """The rows added up to one for each of the days from `since` on, days without a request included."""
    found = []
    for day in (since + timedelta(days=nth) for nth in range(HISTORY_DAYS)):
        its = [row for row in rows if row.quota_day == day]
        found.append(
            SpendDay(
                quota_day=day,
                pipeline="",
                step="",
                model="",
                requests=sum(row.requests for row in its),
                grounded_requests=sum(row.grounded_requests for row in its),
                search_queries=sum(row.search_queries for row in its),
                cost_usd=sum((row.cost_usd for row in its), Decimal(0)),
            )
        )
    return found


def units_of(day: SpendDay, unit: str) -> int:
    """What a day counted against the cap."""
    return day.search_queries if unit == "query" else day.grounded_requests


def _of_step(row: SpendDay) -> dict[str, Any]:
    return {"model": row.model, "pipeline": row.pipeline, "step": row.step, **_counts(row)}


def _of_day(row: SpendDay) -> dict[str, Any]:
    return {"day_pacific": row.quota_day.isoformat(), **_counts(row)}


def _counts(row: SpendDay) -> dict[str, Any]:
    return {
        "requests": row.requests,
        "grounded": row.grounded_requests,
        "queries": row.search_queries,
        "cost_usd": float(row.cost_usd),
    }
