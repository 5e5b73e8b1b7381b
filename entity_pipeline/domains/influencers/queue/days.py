"""Days turn green when every task that was made on them has ended, whichever run ended the last one.

A day to which a later task is added was green too early; the run that ends that task reports the day again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
from psycopg import Connection

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.jobs import DISCOVERED, SCRAPED
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.partitions import day_of, span_of
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import Task

ASSETS_OF_TYPE: Mapping[TaskType, Sequence[str]] = {
    TaskType.FULL_SCRAPE: SCRAPED,
    TaskType.DISCOVER: DISCOVERED,
}


def open_tasks(connection: Connection[Any], task_type: TaskType, first: date, last: date) -> dict[date, int]:
    """Pending and running tasks of the type by partition."""
    counts: dict[date, int] = defaultdict(int)
    by_day = STORE.open_by_day(connection, span_of(first, last), [task_type])
    for day, count in by_day.items():
        counts[max(first, day)] += count
    return counts


def without_open(connection: Connection[Any], task_type: TaskType, days: Sequence[date]) -> list[date]:
    """Those of these partitions in which every task of the type has ended."""
    with_open = STORE.with_open(connection, [span_of(day, day) for day in days], [task_type])
    return [day for day, is_open in zip(days, with_open, strict=True) if not is_open]


def ended_days(database: Database, tasks: Sequence[Task]) -> Iterator[tuple[TaskType, date]]:
    """The partitions of these tasks, by type, in which every task has ended."""
    for task_type in ASSETS_OF_TYPE:
        days = sorted({day_of(task.created_at) for task in tasks if task.task_type == task_type})
        if days:
            ended = patiently_on(database, partial(without_open, task_type=task_type, days=days))
            yield from ((task_type, day) for day in ended)


def report_ended(
    context: dg.OpExecutionContext, ended: Iterator[tuple[TaskType, date]], metadata: Mapping[str, Any]
) -> list[str]:
    """Record a materialisation for each of these partitions. Returns the days in order."""
    days = set()
    for task_type, day in ended:
        days.add(day.isoformat())
        for asset in ASSETS_OF_TYPE[task_type]:
            context.log_event(
                dg.AssetMaterialization(asset, partition=day.isoformat(), metadata=dict(metadata))
            )
    return sorted(days)
