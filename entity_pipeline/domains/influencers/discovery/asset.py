"""`hashtag_discoveries`: who posts under a hashtag, and who of them became a blog.

What a run does is in `queue/work.py`, one task in `discover.py`.
"""

from collections.abc import Iterator

import dagster as dg

from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.partitions import daily_partitions
from entity_pipeline.domains.influencers.tables import table_metadata
from entity_pipeline.shared.reporting.tables import OWNERS
from entity_pipeline.shared.runs.tags import pool


@dg.asset(
    name="hashtag_discoveries",
    group_name=KEY,
    owners=OWNERS,
    kinds={"instagram", "postgres"},
    deps=["scrape_tasks"],
    metadata=table_metadata("hashtag_discoveries"),
    tags={"database": "assets"},
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=pool(KEY, "instagram"),
)
def hashtag_discoveries(
    context: dg.AssetExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    instagram: dg.ResourceParam[InstagramAccess],
    tracing: dg.ResourceParam[Tracing],
) -> Iterator[dg.MaterializeResult]:
    """One row for each search through a hashtag, and a blog with a task for each new person who is large enough.

    - **Reads** due `discover` tasks of `scrape_tasks` that were made on the run's days.
    - **Writes** `hashtag_discoveries`, and `persons`, `blogs` and `full_scrape` tasks of new people.
    - **Left out** are people who are known, erased, private, or below `min_followers` or `min_posts`. The authors of
      posts without the hashtag count as well, because Instagram shows them under it.
    - **A re-run** asks only for what had no answer yet. Partitions turn green as those of `blogs`.
    """
    from entity_pipeline.domains.influencers.queue.work import work_on_days

    yield from work_on_days(
        context,
        TaskType.DISCOVER,
        assets_db=assets_db,
        settings=settings,
        instagram=instagram,
        tracing=tracing,
    )
