"""`blog_metrics`: the measures of blogs. A scrape takes them; a run of this asset takes them again. See `work.py`."""

import dagster as dg

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.scraping import METRICS_VERSION
from entity_pipeline.shared.reporting.tables import OWNERS, table_metadata

_COLUMNS = (
    ("er", "numeric", "median of likes and comments per hundred followers, over posts 2 to 90 days old"),
    ("er_reels", "numeric", "the same of reels"),
    ("er_trend", "text", "growing, stable or declining: the newer half of these posts against the older one"),
    ("posts_per_week", "numeric", "over 28 days, or the days that the newest posts span"),
    ("metrics", "jsonb", "posts counted, hidden likes, version of the formulas, and why a measure is null"),
)


@dg.asset(
    name="blog_metrics",
    group_name=KEY,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[dg.AssetKey("blogs"), dg.AssetKey("blog_posts")],
    metadata=table_metadata("assets.public.blogs", _COLUMNS),
    tags={"database": "assets"},
    code_version=str(METRICS_VERSION),
)
def blog_metrics(
    context: dg.AssetExecutionContext, assets_db: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Engagement, its trend and the rhythm of posts, by formulas that have a version.

    - **Reads** the posts of each blog's last scrape, where its measures come from a former version.
    - **Writes** the measures of these blogs, as of their scrape and with the followers of then.
    - **A re-run** is free and asks no outside system. Every scrape takes the measures of its blog itself, so there is
      nothing to do until a release changes a formula; the schedule then begins a run.
    """
    from entity_pipeline.domains.influencers.scraping.work import measure_again

    return measure_again(context.log.info, assets_db)
