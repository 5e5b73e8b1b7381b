"""`raw_posts`: the collector's table, read and never written by this project."""

import dagster as dg

raw_posts = dg.AssetSpec(
    "raw_posts",
    group_name="entities",
    kinds={"postgres"},
    owners=["team:data-engineering"],
    description=(
        "Instagram posts as the collector stores them in the assets database. "
        "`platform_metadata.tagged_usernames` names the accounts tagged in a post. Read only."
    ),
)
