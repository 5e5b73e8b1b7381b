"""The jobs of the domain that work on tasks, which automation and the command launch. Their work is in `queue/`."""

from datetime import timedelta

import dagster as dg

from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.shared.runs.domain_runs import DomainRuns
from entity_pipeline.shared.runs.tags import job_tags, pool

SCRAPED = ["blogs", "blog_posts", "blog_highlights"]
DISCOVERED = ["hashtag_discoveries"]
QUEUE_JOB = "influencers_queue_job"
RUNS = DomainRuns({QUEUE_JOB: [*SCRAPED, *DISCOVERED]})

# A step ends its work after this long, and each task that has begun goes on for some minutes at most.
STEP_LIMIT = timedelta(minutes=30)


@dg.op(name="influencers_queue", pool=pool(KEY, "instagram"))
def work_through_the_queue(
    context: dg.OpExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    instagram: dg.ResourceParam[InstagramAccess],
    tracing: dg.ResourceParam[Tracing],
) -> None:
    """Claims due tasks, the most urgent first, scrapes blogs and looks through hashtags.

    Days on which every task has ended turn green.
    """
    from entity_pipeline.domains.influencers.queue.work import work_in_a_tick

    work_in_a_tick(context, assets_db=assets_db, settings=settings, instagram=instagram, tracing=tracing)


@dg.op(name="influencers_recover_tasks")
def recover_tasks(context: dg.OpExecutionContext, assets_db: dg.ResourceParam[Database]) -> None:
    """Puts back tasks whose worker was lost. Tasks that wait for a batch are left alone."""
    from entity_pipeline.domains.influencers.queue.upkeep import recover

    recover(context, assets_db)


@dg.op(name="influencers_schedule_updates")
def schedule_updates(
    context: dg.OpExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> None:
    """Makes tasks for blogs that were scraped too long ago, and turns days green whose last run was interrupted."""
    from entity_pipeline.domains.influencers.queue.upkeep import make_update_tasks

    make_update_tasks(context, assets_db, settings)


@dg.op(name="influencers_discover_weekly")
def discover_weekly(
    context: dg.OpExecutionContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> None:
    """Makes tasks for the hashtags of the settings."""
    from entity_pipeline.domains.influencers.queue.upkeep import make_discovery_tasks

    make_discovery_tasks(context, assets_db, settings)


@dg.job(
    name=QUEUE_JOB,
    tags=job_tags(KEY, longest=timedelta(minutes=60)),
    description="Works on the due tasks of the queue, at most tasks_per_tick of them.",
)
def queue_job() -> None:
    """See `work_through_the_queue`."""
    work_through_the_queue()


@dg.job(
    name="influencers_recover_tasks_job",
    tags=job_tags(KEY, longest=timedelta(minutes=10)),
    description="Puts back tasks whose worker was lost.",
)
def recover_tasks_job() -> None:
    """See `recover_tasks`."""
    recover_tasks()


@dg.job(
    name="influencers_schedule_updates_job",
    tags=job_tags(KEY, longest=timedelta(minutes=30)),
    description="Makes tasks for blogs that were scraped more than rescrape_after_days ago.",
)
def schedule_updates_job() -> None:
    """See `schedule_updates`."""
    schedule_updates()


@dg.job(
    name="influencers_discover_weekly_job",
    tags=job_tags(KEY, longest=timedelta(minutes=10)),
    description="Makes tasks for the hashtags of discover_hashtags.",
)
def discover_weekly_job() -> None:
    """See `discover_weekly`."""
    discover_weekly()


jobs = [queue_job, recover_tasks_job, schedule_updates_job, discover_weekly_job]
