"""`tagged_usernames`: the accounts tagged on each day of collection. What a run does is in `work.py`."""

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.partitions import FRESHNESS, daily_partitions
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.domains.entities.tags.raw_posts import raw_posts
from entity_pipeline.shared.reporting.tables import OWNERS


@dg.asset(
    name="tagged_usernames",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[raw_posts],
    metadata=table_metadata("tagged_usernames"),
    tags={"database": database_of("tagged_usernames")},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=FRESHNESS,
)
def tagged_usernames(
    context: dg.AssetExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.MaterializeResult:
    """Every account that was tagged on a day, under its normalised username, with the number of posts.

    - **Reads** `raw_posts` of the day (UTC, by `created_at`; the first partition also takes all earlier posts).
    - **Writes** the day's rows of `tagged_usernames` in one transaction, touching only those that differ.
    - **Malformed** arrays and items are counted by reason and never stop the day.
    - **A re-run** with unchanged posts counts nothing and writes nothing.
    """
    from entity_pipeline.domains.entities.tags.work import count_tags

    return count_tags(context, assets_db, settings)
