"""The list of tasks and their figures, over the store of the queue."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.page.list_values import TaskFigures, TaskPage, TaskQuery, TaskRow
from entity_pipeline.domains.influencers.queue.queries.subjects import usernames
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import Task, TaskStatus


def task_page(connection: Connection[Any], query: TaskQuery) -> TaskPage:
    """One page, the newest task first."""
    limits = {} if query.before is None else {"before": query.before}
    tasks = STORE.page(
        connection,
        query.limit + 1,
        statuses=tuple(TaskStatus) if query.task_status is None else (query.task_status,),
        types=None if query.task_type is None else (query.task_type,),
        **limits,
    )
    shown = tasks[: query.limit]
    next_before = shown[-1].id if len(tasks) > query.limit else None
    return TaskPage(rows=task_rows(connection, shown), next_before=next_before)


def task_rows(connection: Connection[Any], tasks: Sequence[Task]) -> list[TaskRow]:
    """The tasks with the names of what they are about."""
    ids = [UUID(task.task_key) for task in tasks if task.task_type != TaskType.DISCOVER]
    names = usernames(connection, ids)
    return [_row(task, names) for task in tasks]


def read_task_figures(connection: Connection[Any]) -> TaskFigures:
    """The counts over all tasks, and how long the oldest due ones wait."""
    counts = {str(kind): {str(status): 0 for status in TaskStatus} for kind in TaskType}
    for count in STORE.counts(connection):
        counts.setdefault(count.task_type, dict.fromkeys(map(str, TaskStatus), 0))[count.status] = count.tasks
    return TaskFigures(counts=counts, oldest_due=STORE.oldest_due(connection), as_of=datetime.now(UTC))


def _row(task: Task, names: Mapping[UUID, str]) -> TaskRow:
    is_hashtag = task.task_type == TaskType.DISCOVER
    return TaskRow(
        id=task.id,
        task_type=TaskType(task.task_type),
        status=task.status,
        subject=task.task_key if is_hashtag else names.get(UUID(task.task_key)),
        priority=task.priority,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        outcome=task.outcome,
        error=task.error_message,
        batch=task.batch_key,
        created_at=task.created_at,
        due_at=task.due_at,
        started_at=task.started_at,
        completed_at=task.completed_at,
    )
