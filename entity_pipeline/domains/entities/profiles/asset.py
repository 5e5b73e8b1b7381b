"""`instagram_profiles`: public profile fields and pictures, best effort."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import dagster as dg
from pydantic import Field

from entity_pipeline.core.instagram.access import InstagramAccess, ProfileOutcome
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.asset import instagram_accounts
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    occupied_cohorts,
    pending_profiles,
    profile_samples,
    status_counts,
)
from entity_pipeline.domains.entities.partitions import cohort_range, daily_partitions
from entity_pipeline.domains.entities.profiles.backfill import Backfiller
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.charts import faces
from entity_pipeline.shared.reporting.metadata import (
    OWNERS,
    counts_table,
    rows_table,
)
from entity_pipeline.shared.reporting.partitions import EMPTY_COHORT, days_in_words

STEP_LIMIT = timedelta(minutes=10)
FACES = 12
POOL_CHECK = "instagram_can_be_looked_at"


class ProfileConfig(dg.Config):
    """What one run may do."""

    limit: int = Field(
        default=10_000, ge=0, description="Most profiles looked at in this run, most-tagged first."
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
    pool="instagram",
    check_specs=[
        dg.AssetCheckSpec(
            POOL_CHECK,
            asset="instagram_profiles",
            description="Some account or route is free to look at Instagram; otherwise profiles wait, reviews go on.",
        )
    ],
)
def instagram_profiles(
    context: dg.AssetExecutionContext,
    config: ProfileConfig,
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    instagram: dg.ResourceParam[InstagramAccess],
    r2: dg.ResourceParam[ObjectStore],
    tracing: dg.ResourceParam[Tracing],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Display name, bio and picture of the accounts of the cohort, as far as Instagram shows them now.

    - **Reads** pending accounts of `instagram_accounts`, most-tagged first, and their public profile pages.
    - **Writes** `display_name`, `bio` and `profile_image_url` where they are empty or still hold what we wrote,
      `metadata.entity_enrichment.profile_backfill`, and the picture in R2 under the hash of its bytes.
    - **Off** unless `instagram_backfill_enabled` is set, and `terms_acknowledged` in the row `instagram`.
    - **Limits** of the row `instagram` hold over all processes; what does not fit waits for a later run.
    - **Always succeeds**: whatever Instagram does, the reviews go on without these fields.
    """
    cohorts = cohort_range(context.partition_keys)
    deadline = datetime.now(UTC) + STEP_LIMIT
    outcomes: Counter[str] = Counter()
    pictures: dict[str, int] = {}
    columns_refused = 0
    waiting = patiently_on(
        operation_db,
        lambda database: pending_profiles(database, cohorts, datetime.now(UTC), config.limit),
    )
    current = _permitted(settings)
    held_because = current if isinstance(current, str) else ""
    refused = ""
    if isinstance(current, InstagramSettings):
        backfiller = Backfiller(
            operation_db=operation_db,
            instagram=instagram,
            pictures=r2,
            windows=current.windows,
            deadline=deadline,
        )
        with tracing.step("instagram_profiles"):
            for account_id in waiting:
                if isinstance(current := _permitted(settings), str):
                    held_because = current
                    break
                fetch = backfiller.backfill(account_id)
                if fetch is None:
                    outcomes["no_such_handle"] += 1
                    continue
                if fetch.outcome is ProfileOutcome.DEFERRED:
                    until = f" Next try: {fetch.next_at:%Y-%m-%d %H:%M} UTC." if fetch.next_at else ""
                    held_because = refused = f"{fetch.detail}{until}"
                    break
                outcomes[fetch.outcome.value] += 1
        pictures = backfiller.picture_outcomes
        columns_refused = backfiller.columns_refused
    statuses, occupied_days, samples = patiently_on(
        operation_db,
        lambda database: (
            status_counts(database, cohorts, "profile_backfill", "status"),
            occupied_cohorts(database, cohorts),
            profile_samples(database, cohorts),
        ),
    )
    occupied = {day.isoformat() for day in occupied_days}
    if held_because:
        context.log.warning(
            f"Left {len(waiting) - sum(outcomes.values())} profiles for later: {held_because}"
        )
    metadata: dict[str, Any] = {
        "run_covers": days_in_words(context.partition_keys),
        "profiles_looked_at": sum(outcomes.values()),
        "profiles_left_for_later": len(waiting) - sum(outcomes.values()),
        "held_because": held_because or "nothing",
        "faces": _faces(samples),
        "this_run": counts_table(outcomes),
        "pictures": counts_table(pictures),
        "columns_refused_by_the_catalog": columns_refused,
        "all_of_the_cohorts": counts_table(statuses, "status"),
        "sample": rows_table([_without_address(sample) for sample in samples]),
    }
    for key in context.partition_keys:
        context.add_asset_metadata(metadata if key in occupied else EMPTY_COHORT, partition_key=key)
    yield dg.AssetCheckResult(
        check_name=POOL_CHECK,
        passed=not refused or bool(outcomes),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "held_because": refused or "nothing",
            "profiles_looked_at": metadata["profiles_looked_at"],
            "profiles_left_for_later": metadata["profiles_left_for_later"],
        },
    )
    yield dg.MaterializeResult()


def _faces(samples: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """The stored pictures, as far as the bucket is public."""
    stored = {sample["username"]: sample["picture"] for sample in samples if sample["picture"]}
    shown = faces(dict(islice(stored.items(), FACES)))
    return dg.MetadataValue.md(shown) if shown else dg.MetadataValue.text("none with a public address")


def _without_address(sample: Mapping[str, Any]) -> dict[str, Any]:
    """An address would push everything else out of sight; `faces` has what it leads to."""
    return {name: value for name, value in sample.items() if name != "picture"}


def _permitted(settings: SettingsAccess) -> InstagramSettings | str:
    """Instagram's settings, or a sentence that says why no profile may be looked at."""
    gate = patiently(partial(settings.gate, EntitySettings))
    if isinstance(gate, Closed):
        return str(gate.reason)
    if not gate.settings.instagram_backfill_enabled:
        return (
            "The profile backfill is switched off: `entity-pipeline settings set instagram_terms_acknowledged=true "
            "instagram_backfill_enabled=true` switches it on."
        )
    instagram = patiently(partial(settings.gate, InstagramSettings))
    return str(instagram.reason) if isinstance(instagram, Closed) else instagram.settings
