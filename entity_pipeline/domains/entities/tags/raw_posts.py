"""`raw_posts`: the collector's table, read and never written by this project."""

import dagster as dg

from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.tables import database_of, table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS

raw_posts = dg.AssetSpec(
    "raw_posts",
    group_name=KEY,
    kinds={"postgres"},
    owners=OWNERS,
    metadata=table_metadata("raw_posts"),
    tags={"database": database_of("raw_posts")},
    description=(
        "Instagram posts as the collector stores them in the assets database. "
        "`platform_metadata.tagged_usernames` names the accounts tagged in a post. "
        "Read only: an observation says what the last run of `tagged_usernames` read."
    ),
)
