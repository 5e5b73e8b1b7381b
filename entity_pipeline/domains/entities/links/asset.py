"""`catalog_links`: reviewed accounts become links to artists, brands and groups, or are held with a reason.

What a run does is in `work.py`.
"""

from collections.abc import Iterator
from typing import Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.partitions import FRESHNESS, daily_partitions
from entity_pipeline.domains.entities.reviews.asset import gemini_reviews
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS


class LinkConfig(dg.Config):
    """Options of one run."""

    refresh: Literal["none", "held", "all"] = Field(
        default="none",
        description=(
            "none: only accounts without a decision. held: also the held ones, for example after thresholds changed. "
            "all: decide every reviewed account again. Pays nothing; values that a person changed or undid stay."
        ),
    )


@dg.asset(
    name="catalog_links",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[gemini_reviews],
    metadata=table_metadata("catalog_links"),
    tags={"database": database_of("catalog_links")},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=FRESHNESS,
)
def catalog_links(
    context: dg.AssetExecutionContext,
    config: LinkConfig,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> Iterator[dg.MaterializeResult]:
    """The decision for each review: written to the catalog where it is certain, else held with its reasons.

    - **Reads** reviewed accounts of the cohort and the catalog rows that have their names.
    - **Writes** `artists`, `brands`, `groups`, the classification of `instagram_accounts`,
      `metadata.entity_enrichment.catalog_link`, and `admin_audit_log` before and after, in one transaction per account.
    - ***Never** writes `group_members`, never replaces a person's values. `entity-pipeline undo` reverts a run.
    - **A re-run** decides only accounts without a decision.
    - **A partition turns green** when no account of the cohort is pending, a review included. Until then each run
      links the accounts reviewed so far, and the partition gets an observation. A backfill over it ends as *Failed*
      although its runs succeed: that means unfinished, and a later run continues.
    """
    from entity_pipeline.domains.entities.links.work import link_cohorts

    yield from link_cohorts(
        context, config, assets_db=assets_db, operation_db=operation_db, settings=settings
    )
