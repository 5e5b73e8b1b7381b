"""`instagram_profiles`: public profile fields and pictures, best effort.

What a run does is in `work.py`, and one account's backfill in `backfill.py`.
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.asset import instagram_accounts
from entity_pipeline.domains.entities.partitions import FRESHNESS, daily_partitions
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS
from entity_pipeline.shared.runs.tags import pool

POOL_CHECK = "instagram_can_be_looked_at"


class ProfileConfig(dg.Config):
    """Options of one run."""

    limit: int = Field(
        default=10_000, ge=0, description="The most profiles to fetch in this run, most-tagged first."
    )


@dg.asset(
    name="instagram_profiles",
    group_name=KEY,
    owners=OWNERS,
    kinds={"instagram", "postgres", "s3"},
    deps=[instagram_accounts],
    metadata=table_metadata("instagram_profiles"),
    tags={"database": database_of("instagram_profiles")},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=FRESHNESS,
    pool=pool(KEY, "instagram"),
    check_specs=[
        dg.AssetCheckSpec(
            POOL_CHECK,
            asset="instagram_profiles",
            description="An account or route is free to query Instagram; otherwise profiles wait and reviews continue.",
        )
    ],
)
def instagram_profiles(
    context: dg.AssetExecutionContext,
    config: ProfileConfig,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    instagram: dg.ResourceParam[InstagramAccess],
    r2: dg.ResourceParam[ObjectStore],
    tracing: dg.ResourceParam[Tracing],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Display name, bio and picture of the cohort's accounts, as far as Instagram shows them.

    - **Reads** pending accounts of `instagram_accounts`, most-tagged first, and their public profile pages.
    - **Writes** `display_name`, `bio` and `profile_image_url` where they are empty or still hold our own value,
      `metadata.entity_enrichment.profile_backfill`, and the picture in R2 under the hash of its bytes.
    - **A re-run** looks at due profiles only. Those that were found are due again after `profile_recheck_days`, when no
      other profile is.
    - **Off** unless `instagram_backfill_enabled` is set, and `terms_acknowledged` in the settings of `instagram`.
    - **Limits** of `windows` there apply across all domains and processes; the rest waits for a later run.
    - **If Instagram refuses**, profiles are postponed, and the reviews continue without these fields.
    - **A partition turns green** when no profile of the cohort waits, or the backfill is off. Until then it gets an
      observation that says how many wait and why. A backfill over it ends as *Failed* although its runs succeed: that
      means unfinished, and a later run continues.
    """
    from entity_pipeline.domains.entities.profiles.work import look_at_profiles

    yield from look_at_profiles(
        context,
        config,
        assets_db=assets_db,
        operation_db=operation_db,
        settings=settings,
        instagram=instagram,
        r2=r2,
        tracing=tracing,
    )
