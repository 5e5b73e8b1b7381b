"""The two assets `gemini_spend_daily` and `gemini_quota`. What a run does is in `spend_daily.py` and `quota.py`."""

from datetime import timedelta

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.shared.reporting.tables import OWNERS, table_metadata

GROUP = "gemini"
# spend_schedule runs every hour.
HOURLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=2), fail_window=timedelta(hours=6))
_COLUMNS = (
    ("quota_day", "date", "Pacific day"),
    ("pipeline", "text", "the domain that asked"),
    ("step", "text", "the step that asked"),
    ("model", "text", "the model that was asked"),
    ("requests", "int", "requests that ended, successfully or not"),
    ("grounded_requests", "int", "of these with Google Search"),
    ("search_queries", "int", "that Google made for them"),
    ("cost_usd", "numeric", "tokens and grounding fees in USD"),
)


@dg.asset(
    name="gemini_spend_daily",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    metadata=table_metadata("assets.public.gemini_spend_daily", _COLUMNS),
    tags={"database": "assets"},
    freshness_policy=HOURLY,
)
def gemini_spend_daily(gemini: dg.ResourceParam[GeminiAccess]) -> dg.MaterializeResult:
    """Requests, tokens and cost in USD for each Pacific quota day, rolled up from the ledger for quick reading.

    - **Reads** `gemini_usage_events` of the last 35 days.
    - **Writes** the rows of `gemini_spend_daily` that differ.
    - ***The ledger** stays authoritative: the cap is never computed from this table.
    """
    from entity_pipeline.shared.gemini_spend.spend_daily import roll_up

    return roll_up(gemini)


@dg.asset(
    name="gemini_quota",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"gemini", "postgres"},
    deps=[gemini_spend_daily],
    tags={"database": "assets"},
    freshness_policy=HOURLY,
)
def gemini_quota(
    context: dg.AssetExecutionContext, gemini: dg.ResourceParam[GeminiAccess]
) -> dg.MaterializeResult:
    """How today's Gemini quota is used, what is left of it, and when it is renewed.

    - **Reads** the ledger `gemini_usage_events` for the current Pacific day, and `gemini_spend_daily` for the 29
      days before.
    - **Writes** only its metadata, and calls no outside system.
    - **A re-run** only brings it up to date. `spend_schedule` does so five minutes past each hour, even while every
      domain is switched off; `entity-pipeline quota` has the figures to the second.
    """
    from entity_pipeline.shared.gemini_spend.quota import quota_of_today

    return quota_of_today(context, gemini)
