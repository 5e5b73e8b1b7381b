"""Tasks as the API shows them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.domains.influencers.api.schemas import TaskView
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.queries.subjects import usernames
from entity_pipeline.shared.tasks.rules import Task


def shown(connection: Connection[Any], tasks: Sequence[Task]) -> list[TaskView]:
    """The tasks in their order, with the usernames that their blogs have now."""
    blog_ids = {task.id: UUID(task.task_key) for task in tasks if task.task_type != TaskType.DISCOVER}
    names = usernames(connection, blog_ids.values())
    return [_shown(task, blog_ids.get(task.id), names) for task in tasks]


def _shown(task: Task, blog_id: UUID | None, names: Mapping[UUID, str]) -> TaskView:
    return TaskView(
        id=task.id,
        task_type=TaskType(task.task_type),
        status=task.status,
        priority=task.priority,
        blog_id=blog_id,
        username=None if blog_id is None else names.get(blog_id),
        hashtag=task.task_key if blog_id is None else None,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        outcome=task.outcome,
        error_message=task.error_message,
        next_retry_at=task.deferred_until or task.next_retry_at,
        created_at=task.created_at,
        started_at=task.started_at,
        completed_at=task.completed_at,
    )
