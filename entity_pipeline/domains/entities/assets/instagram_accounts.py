"""`instagram_accounts`: the tagged accounts in the operation database, each with its cohort."""

from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities.assets.reporting import EMPTY_COHORT, GROUP, OWNERS, rows_table
from entity_pipeline.domains.entities.assets.tagged_usernames import tagged_usernames
from entity_pipeline.domains.entities.partitions import (
    FIRST_DAY,
    cohort_days,
    cohort_range,
    daily_partitions,
    last_day,
)
from entity_pipeline.domains.entities.queries.accounts_intake import (
    adopt,
    count_unusable_metadata,
    upsert_tagged_accounts,
)
from entity_pipeline.domains.entities.queries.enrichment import account_samples
from entity_pipeline.domains.entities.queries.tagged_usernames import day_totals, totals_of


@dg.asset(
    name="instagram_accounts",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[tagged_usernames],
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def instagram_accounts(
    context: dg.AssetExecutionContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.MaterializeResult:
    """The tagged accounts of a day, upserted by normalised username, with their totals over all days.

    **Reads** `tagged_usernames`. **Writes** new rows of `instagram_accounts`, and `metadata.entity_enrichment`
    (`cohort`, once, and `tagging`) of known ones. Accounts that were there before the pipeline join the cohort of
    the day they were created on. A row like `@Nike` is found again and not doubled; nothing of a person's is changed.
    **A re-run** with unchanged tags writes nothing.
    """
    gate = settings.gate()
    if isinstance(gate, Closed):
        raise dg.Failure(gate.reason, allow_retries=False)
    last = last_day(datetime.now(UTC))
    with assets_db.connection() as assets, operation_db.connection() as operation:
        for day in cohort_days(context.partition_keys):
            counts = asdict(
                upsert_tagged_accounts(
                    operation,
                    day,
                    day_totals(assets, day),
                    lambda usernames: totals_of(assets, usernames),
                    first_partition=FIRST_DAY,
                    last_partition=last,
                )
            )
            counts["adopted"] += adopt(operation, day, FIRST_DAY, last)
            samples = account_samples(operation, cohort_range([day.isoformat()]))
            context.add_asset_metadata(
                {**counts, "most_tagged": rows_table(samples)} if samples else EMPTY_COHORT,
                partition_key=day.isoformat(),
            )
        unusable = count_unusable_metadata(operation)
    if unusable:
        context.log.warning(
            f"{unusable} accounts can't be enriched: their metadata, or its entity_enrichment, is no JSON object."
        )
    return dg.MaterializeResult()
