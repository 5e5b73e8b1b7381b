"""What keeps the queue going: lost tasks are put back, and tasks are made for old blogs and weekly hashtags."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
from psycopg import Connection

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.partitions import day_of
from entity_pipeline.domains.influencers.queue.days import ASSETS_OF_TYPE, report_ended, without_open
from entity_pipeline.domains.influencers.queue.queries.due_blogs import due_blogs
from entity_pipeline.domains.influencers.queue.requests import ask_for_hashtags
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.queries.stranded import restore_stranded
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.gate import open_settings
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE, NewTask, TaskStatus

_FIRST_TASK = "select created_at from scrape_tasks order by id limit 1"


def recover(context: dg.OpExecutionContext, assets_db: Database) -> None:
    """Put back every task whose lease lapsed; one that lost its worker too often fails, and frees its blog."""
    put_back = failed = 0
    while tasks := patiently_on(assets_db, STORE.recover):
        gone = sum(task.status is TaskStatus.FAILED for task in tasks)
        put_back, failed = put_back + len(tasks) - gone, failed + gone
    context.log.info(f"{put_back} lost tasks were put back; {failed} lost their worker too often and failed.")
    stranded = patiently_on(assets_db, restore_stranded)
    context.add_output_metadata({"put_back": put_back, "failed": failed, "blogs_restored": stranded})


def make_update_tasks(context: dg.OpExecutionContext, assets_db: Database, settings: SettingsAccess) -> None:
    """A `full_scrape` task for each blog that is due again, and green for past days that a run left out."""
    age = timedelta(days=open_settings(settings, InfluencerSettings).rescrape_after_days)
    made = patiently_on(assets_db, partial(_make_updates, age=age))
    days = report_ended(context, _missed_days(context.instance, assets_db), {"tasks_left": 0})
    context.log.info(f"{made} blogs are due again.")
    context.add_output_metadata({"tasks_made": made, "days_finished": ", ".join(days) or "none"})


def make_discovery_tasks(
    context: dg.OpExecutionContext, assets_db: Database, settings: SettingsAccess
) -> None:
    """A `discover` task for each hashtag of the settings, unless one is open."""
    hashtags = open_settings(settings, InfluencerSettings).discover_hashtags
    asked = patiently_on(
        assets_db, lambda connection: ask_for_hashtags(connection, hashtags, Priority.WEEKLY_DISCOVERY)
    )
    for one in asked:
        context.log.info(f"#{one.hashtag or one.given}: {one.answer}")
    context.add_output_metadata({f"#{one.hashtag or one.given}": str(one.answer) for one in asked})


def _make_updates(connection: Connection[Any], age: timedelta) -> int:
    made = 0
    for ids in due_blogs(connection, age, MOST_AT_ONCE):
        tasks = [NewTask(TaskType.FULL_SCRAPE, str(id_), Priority.UPDATE) for id_ in ids]
        made += sum(task.is_new for task in STORE.create(connection, tasks))
    return made


def _missed_days(instance: dg.DagsterInstance, assets_db: Database) -> Iterator[tuple[TaskType, date]]:
    """Past days that have ended and are not green: a run died before it reported them, or there was no task."""

    def first_task(connection: Connection[Any]) -> datetime | None:
        row = connection.execute(_FIRST_TASK).fetchone()
        return row[0] if row is not None else None

    began = patiently_on(assets_db, first_task)
    if began is None:
        return
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    past = [date.fromordinal(n) for n in range(day_of(began).toordinal(), yesterday.toordinal() + 1)]
    for task_type, assets in ASSETS_OF_TYPE.items():
        green = set.intersection(
            *(set(instance.get_materialized_partitions(dg.AssetKey(asset))) for asset in assets)
        )
        missing = [day for day in past if day.isoformat() not in green]
        if missing:
            ended = patiently_on(assets_db, partial(without_open, task_type=task_type, days=missing))
            yield from ((task_type, day) for day in ended)
