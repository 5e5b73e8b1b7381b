"""`gemini_reviews`: each account's review, requested once and stored as soon as it arrives.

What a run does is in `work.py`.
"""

from collections.abc import Iterator
from typing import Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.partitions import FRESHNESS, daily_partitions
from entity_pipeline.domains.entities.profiles.asset import instagram_profiles
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS
from entity_pipeline.shared.runs.tags import pool

MODEL_CHECK = "model_is_the_one_asked_for"
UNGROUNDED_CHECK = "few_reviews_are_ungrounded"
CAP_CHECK = "cap_is_not_near"


class ReviewConfig(dg.Config):
    """Options of one run."""

    limit: int = Field(
        default=10_000, ge=0, description="The most accounts to review in this run, most-tagged first."
    )
    refresh: Literal["none", "failed", "stale", "all"] = Field(
        default="none",
        description=(
            "none: only pending accounts. failed: also those whose review failed. stale: also reviews made from "
            "another prompt, schema, model or profile. all: every review again. All but none pay again."
        ),
    )
    since: str = Field(
        default="",
        description=(
            "When the refresh began, as in review_refreshes.started_at: what was answered since then is not asked "
            "again, so a refresh that was interrupted goes on. Empty: it begins with this run."
        ),
    )
    dry_run: bool = Field(
        default=False, description="Only report how many accounts would be reviewed; pay nothing."
    )


@dg.asset(
    name="gemini_reviews",
    group_name=KEY,
    owners=OWNERS,
    kinds={"gemini", "postgres"},
    deps=[instagram_profiles],
    metadata=table_metadata("gemini_reviews"),
    tags={"database": database_of("gemini_reviews")},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=FRESHNESS,
    pool=pool(KEY, "gemini"),
    check_specs=[
        dg.AssetCheckSpec(
            MODEL_CHECK,
            asset="gemini_reviews",
            blocking=True,
            description="Only the configured model, or one of accept_models, answers.",
        ),
        dg.AssetCheckSpec(
            UNGROUNDED_CHECK,
            asset="gemini_reviews",
            description="At most a fifth of this run's reviews came without search results.",
        ),
        dg.AssetCheckSpec(
            CAP_CHECK,
            asset="gemini_reviews",
            description="Less than nine tenths of today's grounding cap are used.",
        ),
    ],
)
def gemini_reviews(
    context: dg.AssetExecutionContext,
    config: ReviewConfig,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiAccess],
    tracing: dg.ResourceParam[Tracing],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Gemini's review, with Google Search, of each account of the cohort: names, type, role, region, country.

    - **Reads** pending accounts of `instagram_accounts`, most-tagged first, and the ledger `gemini_usage_events`.
    - **Writes** `metadata.entity_enrichment.gemini_review`, one account at a time, as the answers arrive.
    - **A re-run** requests only pending reviews; a paid reply that was not used yet is taken from the ledger.
    - **A partition turns green** when no account of the cohort is pending. An unfinished one gets an observation that
      says how many are pending and why; `catalog_links` continues with the reviewed ones. A backfill over it ends as
      *Failed* although its runs succeed: that means unfinished, and a later run continues.
    """
    from entity_pipeline.domains.entities.reviews.work import review_cohorts

    yield from review_cohorts(
        context,
        config,
        assets_db=assets_db,
        operation_db=operation_db,
        settings=settings,
        gemini=gemini,
        tracing=tracing,
    )
