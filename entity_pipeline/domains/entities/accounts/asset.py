"""`instagram_accounts`: the tagged accounts in the operation database, each with its cohort.

What a run does is in `work.py`.
"""

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.partitions import FRESHNESS, daily_partitions
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.domains.entities.tags.asset import tagged_usernames
from entity_pipeline.shared.reporting.tables import OWNERS


@dg.asset(
    name="instagram_accounts",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[tagged_usernames],
    metadata=table_metadata("instagram_accounts"),
    tags={"database": database_of("instagram_accounts")},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=FRESHNESS,
)
def instagram_accounts(
    context: dg.AssetExecutionContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.MaterializeResult:
    """The tagged accounts of a day, upserted by normalised username, with their totals over all days.

    - **Reads** `tagged_usernames`.
    - **Writes** new rows of `instagram_accounts`, and `metadata.entity_enrichment` (`cohort`, once, and `tagging`) of
      known ones. A row like `@Nike` is recognised and not doubled; values set by a person are not changed.
    - **Accounts older than the pipeline** join the cohort of the day on which they were created.
    - **A re-run** with unchanged tags writes nothing.
    """
    from entity_pipeline.domains.entities.accounts.work import take_in_accounts

    return take_in_accounts(context, assets_db, operation_db, settings)
