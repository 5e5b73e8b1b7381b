"""`InfluencerFigures`: the figures of the influencers' page and their part of the API, behind one object.

Every method raises `DatabaseUnavailable` or `SchemaMismatch` when a figure can't be read; the server answers 503 with
its sentence.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from entity_pipeline.admin.cached_reading import CachedReading
from entity_pipeline.admin.domain_instagram import BudgetFigures, budget_figures
from entity_pipeline.admin.domain_money import MoneyFigures, money_figures
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.ledger_rows import subject_cost
from entity_pipeline.admin.page import Backlog
from entity_pipeline.admin.stored_values import can_be_stored
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.page import actions
from entity_pipeline.domains.influencers.page.blog import blog_figures
from entity_pipeline.domains.influencers.page.blog_list import blog_page, read_blog_counts
from entity_pipeline.domains.influencers.page.blog_values import BlogFigures
from entity_pipeline.domains.influencers.page.list_values import (
    BlogCounts,
    BlogPage,
    BlogQuery,
    TaskFigures,
    TaskPage,
    TaskQuery,
)
from entity_pipeline.domains.influencers.page.queries.blogs import category_names
from entity_pipeline.domains.influencers.page.scheduler import SchedulerFigures, scheduler_figures
from entity_pipeline.domains.influencers.page.task_list import read_task_figures, task_page
from entity_pipeline.domains.influencers.settings import InfluencerSettings

CACHED_S = 15.0


class InfluencerFigures:
    """The figures of one installation, and what people ask for."""

    def __init__(self, installation: Installation) -> None:
        self._at = installation
        self._tasks = CachedReading(self._read_tasks, CACHED_S)
        self._blogs = CachedReading(self._read_blogs, CACHED_S)

    def scheduler(self) -> SchedulerFigures:
        """The switch, what waits, ticks and runs."""
        return scheduler_figures(self._at, self.tasks())

    def tasks(self) -> TaskFigures:
        """Tasks by type and state; some seconds old."""
        return self._tasks.get()

    def backlog(self) -> Backlog:
        """Tasks that wait for their turn, and since when the oldest of them is due."""
        tasks = self.tasks()
        return Backlog(waiting=tasks.waiting(), oldest=min(tasks.oldest_due.values(), default=None))

    def task_page(self, query: TaskQuery) -> TaskPage:
        """One page of tasks."""
        with self._at.assets_db.connection() as connection:
            return task_page(connection, query)

    def blog_counts(self) -> BlogCounts:
        """Blogs by state, category and source; some seconds old."""
        return self._blogs.get()

    def blog_page(self, query: BlogQuery) -> BlogPage:
        """One page of blogs. Raises `UnknownCursor`."""
        with self._at.assets_db.connection() as connection:
            return blog_page(connection, query)

    def categories(self) -> Mapping[str, str]:
        """The names of the categories by their codes."""
        with self._at.assets_db.connection() as connection:
            return category_names(connection)

    def blog(self, username: str) -> BlogFigures | None:
        """One blog by its username in any case, with or without ``@``; None when there is none."""
        wanted = username.removeprefix("@").lower()
        if not can_be_stored(wanted):
            return None
        with self._at.assets_db.connection() as connection:
            found = blog_figures(connection, wanted)
        if found is None:
            return None
        with suppress(PipelineFailure):
            cost = subject_cost(self._at, STEP, str(found.id))
            return found.model_copy(update={"ledger": cost.rows, "cost_usd": cost.cost_usd})
        return found

    def money(self) -> MoneyFigures:
        """The cost of the domain and its batches."""
        return money_figures(self._at, InfluencerSettings.row, KEY)

    def budget(self) -> BudgetFigures:
        """What the domain used of the Instagram budget."""
        return budget_figures(self._at, KEY)

    def ask(self, usernames: Sequence[str], hashtags: Sequence[str]) -> actions.Answers:
        """Ask for blogs and hashtags; see `actions.ask`."""
        with self._at.assets_db.connection() as connection:
            return actions.ask(connection, usernames, hashtags)

    def retry(self, task_id: int) -> bool:
        """Try a failed task again; see `actions.retry`."""
        with self._at.assets_db.connection() as connection:
            return actions.retry(connection, task_id)

    def _read_tasks(self) -> TaskFigures:
        with self._at.assets_db.connection() as connection:
            return read_task_figures(connection)

    def _read_blogs(self) -> BlogCounts:
        with self._at.assets_db.connection() as connection:
            return read_blog_counts(connection)
