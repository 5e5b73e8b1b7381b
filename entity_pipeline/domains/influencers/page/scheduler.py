"""The switch, and what the queue's next run would find. Launches nothing."""

from datetime import UTC, datetime

from pydantic import Field

from entity_pipeline.admin.dagster_figures import of_domain, worded
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.scheduler import AutomationFigures, switch_values
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.page.list_values import TaskFigures
from entity_pipeline.domains.influencers.page.queries.next_due import next_due
from entity_pipeline.domains.influencers.queue.tasks import QUEUE
from entity_pipeline.domains.influencers.settings import InfluencerSettings


class SchedulerFigures(AutomationFigures):
    """The switch, how many tasks wait, and when the next one is due."""

    waiting: int
    running: int
    next_due_at: datetime | None = Field(description="Of all waiting tasks; in the past while one is due.")


def scheduler_figures(at: Installation, tasks: TaskFigures) -> SchedulerFigures:
    """The current figures; `tasks` may be some seconds old."""
    with at.assets_db.connection() as connection:
        due = next_due(connection, QUEUE.types)
    switch = switch_values(at, InfluencerSettings)
    dagster = of_domain(at.dagster.figures(), at.automation, KEY)
    return SchedulerFigures(
        **switch,
        waiting=tasks.waiting(),
        running=tasks.of_status("running"),
        next_due_at=due,
        dagster=worded(dagster, switch["closed_because"]),
        as_of=datetime.now(UTC),
    )
