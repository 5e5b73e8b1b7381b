"""A run of `gemini_spend_daily`: the ledger rolled up by quota day, pipeline, step and model."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.core.patience import patiently
from entity_pipeline.shared.reporting.charts import columns_by_day
from entity_pipeline.shared.reporting.metadata import drawn, rows_table

# A late answer may still settle a request of an earlier day; older days no longer change.
REVISED_DAYS = 35


def roll_up(gemini: GeminiAccess) -> dg.MaterializeResult:
    """Bring the last days up to date, and show them."""
    since = quota_day(datetime.now(UTC)) - timedelta(days=REVISED_DAYS)
    changed = patiently(partial(gemini.roll_up_spend, since))
    days = patiently(partial(gemini.spend, since))
    return dg.MaterializeResult(
        metadata={
            "rows_changed": changed,
            "cost_picture": drawn(
                columns_by_day("USD per Pacific day", _cost_by_day(days, since), form=".4f"),
                f"Cost of the last {REVISED_DAYS} Pacific days, in USD",
            ),
            "cost_usd_in_period": float(sum(day.cost_usd for day in days)),
            "grounded_requests_in_period": sum(day.grounded_requests for day in days),
            "days": rows_table(
                [
                    {
                        "quota_day": day.quota_day.isoformat(),
                        "pipeline": day.pipeline,
                        "step": day.step,
                        "model": day.model,
                        "requests": day.requests,
                        "grounded": day.grounded_requests,
                        "cost_usd": float(day.cost_usd),
                    }
                    for day in days
                ]
            ),
        }
    )


def _cost_by_day(rows: Sequence[SpendDay], since: date) -> list[tuple[date, float]]:
    days = [since + timedelta(days=nth) for nth in range(REVISED_DAYS + 1)]
    return [(day, float(sum(row.cost_usd for row in rows if row.quota_day == day))) for day in days]
