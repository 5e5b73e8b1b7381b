"""`scrape_tasks`, which is observed, and `blogs` with their posts and highlights, which one step scrapes.

What a run does is in `work.py`. Partitions are the UTC days on which tasks were made.
"""

from collections.abc import Iterator

import dagster as dg

from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.jobs import SCRAPED
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.partitions import daily_partitions
from entity_pipeline.domains.influencers.tables import table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS
from entity_pipeline.shared.runs.tags import pool

_DESCRIPTIONS = {
    "blogs": "Bloggers' profiles with their measures.",
    "blog_posts": "The newest posts and reels of each blog.",
    "blog_highlights": "The highlights of each blog, and what their stories name.",
}


scrape_tasks = dg.AssetSpec(
    "scrape_tasks",
    group_name=KEY,
    kinds={"postgres"},
    owners=OWNERS,
    metadata=table_metadata("scrape_tasks"),
    tags={"database": "assets"},
    description=(
        "The queue: what people, discoveries and schedules ask for. Observed by each run of the queue: tasks by type "
        "and state, and since when the longest-waiting one is due."
    ),
)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            name,
            group_name=KEY,
            owners=OWNERS,
            kinds={"instagram", "postgres"},
            deps=["scrape_tasks"],
            metadata=table_metadata(name),
            tags={"database": "assets"},
            description=_DESCRIPTIONS[name],
        )
        for name in SCRAPED
    ],
    name="scraped_blogs",
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=pool(KEY, "instagram"),
)
def scraped_blogs(
    context: dg.AssetExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    instagram: dg.ResourceParam[InstagramAccess],
    tracing: dg.ResourceParam[Tracing],
) -> Iterator[dg.MaterializeResult]:
    """Blogs with their posts and highlights, scraped because of the `full_scrape` tasks that were made on the days.

    - **Reads** due tasks of `scrape_tasks` that were made on the run's days.
    - **Writes** `blogs`, `blog_posts` and `blog_highlights`, each answer of Instagram as it comes.
    - **A re-run** goes on where the last one stopped; what is done is not asked again.
    - **A partition turns green** when every such task of the day has ended. `influencers_queue_job`, which works on all
      days by priority, records it then; a run over chosen days leaves an unfinished one open with an observation that
      says why, and a backfill over it ends as *Failed* although its runs succeed.
    """
    from entity_pipeline.domains.influencers.queue.work import work_on_days

    yield from work_on_days(
        context,
        TaskType.FULL_SCRAPE,
        assets_db=assets_db,
        settings=settings,
        instagram=instagram,
        tracing=tracing,
    )
