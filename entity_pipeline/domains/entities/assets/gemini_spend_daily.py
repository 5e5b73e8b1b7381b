"""`gemini_spend_daily`: the ledger rolled up by quota day, pipeline, step and model."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.gemini import GeminiAccess
from entity_pipeline.core.quota import quota_day
from entity_pipeline.domains.entities.assets.gemini_reviews import gemini_reviews
from entity_pipeline.domains.entities.assets.reporting import GROUP, OWNERS, rows_table

# A late answer may still settle a request of an earlier day; older days no longer change.
REVISED_DAYS = 35


@dg.asset(
    name="gemini_spend_daily",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[gemini_reviews],
)
def gemini_spend_daily(gemini: dg.ResourceParam[GeminiAccess]) -> dg.MaterializeResult:
    """Requests, tokens and cost in USD for each Pacific quota day, kept from the ledger for a quick look.

    **Reads** `gemini_usage_events` of the last 35 days. **Writes** the rows of `gemini_spend_daily` that differ.
    The ledger stays the truth: the cap is never computed from this table.
    """
    since = quota_day(datetime.now(UTC)) - timedelta(days=REVISED_DAYS)
    changed = gemini.roll_up_spend(since)
    days = gemini.spend(since)
    return dg.MaterializeResult(
        metadata={
            "rows_changed": changed,
            "cost_usd_in_period": float(sum(day.cost_usd for day in days)),
            "grounded_requests_in_period": sum(day.grounded_requests for day in days),
            "days": rows_table(
                [
                    {
                        "quota_day": day.quota_day.isoformat(),
                        "pipeline": day.pipeline,
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
