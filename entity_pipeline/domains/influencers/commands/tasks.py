"""`tasks` and the domain's part of `status`."""

from datetime import datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.cli.services import database, services
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.influencers.api.schemas import TaskView
from entity_pipeline.domains.influencers.api.tasks import shown
from entity_pipeline.domains.influencers.models import ScrapeStatus, TaskType
from entity_pipeline.domains.influencers.queue.queries.subjects import blogs_by_state
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.tasks.rules import TaskStatus


def show_tasks(status: str | None, task_type: str | None, limit: int) -> None:
    """Print the newest tasks."""
    with database("assets") as assets_db, assets_db.connection() as connection:
        statuses = list(TaskStatus) if status is None else [TaskStatus(status)]
        found = STORE.page(connection, limit, statuses=statuses, types=[task_type] if task_type else None)
        views = shown(connection, found)
    if not views:
        click.echo("There is no such task.")
        return
    table = Table("id", "type", "about", "state", "priority", "attempts", "since", "note")
    for view in views:
        table.add_row(
            str(view.id),
            view.task_type.value,
            escape(f"#{view.hashtag}" if view.hashtag is not None else view.username or "removed"),
            view.status.value,
            str(view.priority),
            f"{view.attempts} of {view.max_attempts}",
            _moment(view.completed_at or view.started_at or view.created_at),
            escape(note(view)),
        )
    Console(soft_wrap=True).print(table)


def show_status() -> None:
    """Print the switch, the tasks by type and state, and the blogs by state."""
    console = Console(soft_wrap=True)
    with services() as built:
        state = built.settings.gate(InfluencerSettings)
        with built.assets_db.connection() as connection:
            counts = {(one.task_type, one.status): one.tasks for one in STORE.counts(connection)}
            oldest = STORE.oldest_due(connection)
            batches = STORE.batches(connection)
            blogs = blogs_by_state(connection)
    click.echo(str(state.reason) if isinstance(state, Closed) else "The domain is switched on.")
    tasks = Table("task", *(status.value for status in TaskStatus), "oldest due since", title="Tasks")
    for task_type in TaskType:
        numbers = (f"{counts.get((task_type, status), 0):,}" for status in TaskStatus)
        due = oldest.get(task_type)
        tasks.add_row(task_type.value, *numbers, _moment(due) if due is not None else "–")
    console.print(tasks)
    if batches:
        waiting = sum(batch.tasks for batch in batches)
        click.echo(f"Waiting for Gemini: {waiting:,} in {len(batches):,} batches.")
    table = Table("blogs", "number", title="Blogs")
    for scrape_status in ScrapeStatus:
        if blogs.get(scrape_status):
            table.add_row(scrape_status.value, f"{blogs[scrape_status]:,}")
    console.print(table)


def note(view: TaskView) -> str:
    """How the task ended or failed, and when it is next due; empty when there is nothing to say."""
    said = ": ".join(filter(None, (view.outcome, view.error_message)))
    waits = f"Next at {_moment(view.next_retry_at)} UTC." if view.next_retry_at is not None else ""
    return " ".join(filter(None, (said, waits)))


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
