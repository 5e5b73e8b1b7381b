"""`EntityFigures`: the figures of the entities' page and their part of the API, behind one object.

Every method raises `DatabaseUnavailable` or `SchemaMismatch` when a figure can't be read; the server answers 503 with
its sentence.
"""

from contextlib import suppress

from fastapi.responses import StreamingResponse

from entity_pipeline.admin.access import Visitor
from entity_pipeline.admin.cached_reading import CachedReading
from entity_pipeline.admin.changes import SettingsChange, apply_change
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.ledger_rows import subject_cost
from entity_pipeline.admin.page import Backlog
from entity_pipeline.admin.stored_values import can_be_stored
from entity_pipeline.core.audit import PAGE_ACTOR, Actor
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.domains.entities.accounts.asked import ask_decision_again, ask_review_again
from entity_pipeline.domains.entities.accounts.queries.backlog import waiting_accounts
from entity_pipeline.domains.entities.page import accounts, queue
from entity_pipeline.domains.entities.page.account_values import AccountFigures
from entity_pipeline.domains.entities.page.download import download
from entity_pipeline.domains.entities.page.posts import posts_of
from entity_pipeline.domains.entities.page.queue_values import Counts, QueuePage, QueueQuery
from entity_pipeline.domains.entities.page.scheduler import SchedulerFigures, scheduler_figures
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.settings import EntitySettings, Thresholds

CACHED_S = 15.0


class EntityFigures:
    """The figures of one installation, and changes of the entities' settings."""

    def __init__(self, installation: Installation) -> None:
        self._at = installation
        self._counts = CachedReading(self._read_counts, CACHED_S)
        self._backlog = CachedReading(self._read_backlog, CACHED_S)

    def scheduler(self) -> SchedulerFigures:
        """The switch, the plan, ticks and runs."""
        return scheduler_figures(self._at)

    def backlog(self) -> Backlog:
        """Accounts that wait for a review, each of which needs one request with a search. Some seconds old."""
        return self._backlog.get()

    def queue(self, query: QueueQuery) -> QueuePage:
        """One page of the list. Raises `UnknownCursor` for a cursor of another query or a forged one."""
        with self._at.assets_db.connection() as assets, self._at.operation_db.connection() as operation:
            return queue.queue_page(assets, operation, query)

    def counts(self) -> Counts:
        """States and reasons; some seconds old."""
        return self._counts.get()

    def export(self, query: QueueQuery, form: str) -> StreamingResponse:
        """Every row of the query, regardless of `cursor` and `limit`, as ``csv`` or ``json``."""
        return download(self._at.assets_db, self._at.operation_db, query, form)

    def account(self, username: str) -> AccountFigures | None:
        """One account by its username as stored, or by its handle; None when there is none."""
        if not can_be_stored(username):
            return None
        thresholds = self._thresholds()
        with self._at.operation_db.connection() as connection:
            found = accounts.account_figures(connection, username, thresholds, self._at)
        if found is None:
            return None
        with suppress(PipelineFailure), self._at.assets_db.connection() as assets:
            found = found.model_copy(update={"posts_shown": posts_of(assets, found.sample_posts)})
        if found.handle is None:  # no request to Gemini was ever made for it
            return found.model_copy(update={"ledger": [], "cost_usd": accounts.NOTHING_USD})
        with suppress(PipelineFailure):
            cost = subject_cost(self._at, STEP, found.handle)
            return found.model_copy(update={"ledger": cost.rows, "cost_usd": cost.cost_usd})
        return found

    def search_suggestions(self, username: str) -> str | None:
        """Google's HTML as stored with the reply; it may hold anything."""
        if not can_be_stored(username):
            return None
        with self._at.operation_db.connection() as connection:
            return accounts.suggestions_of(connection, username)

    def change(self, change: SettingsChange, visitor: Visitor) -> SchedulerFigures:
        """Make a change and record it.

        Raises:
            InputRejected: a value is not allowed, or the change is empty; nothing was changed.
            StaleSettings: the row was changed in the meantime; the failure has its present state.
        """
        apply_change(self._at, EntitySettings, change, visitor)
        return self.scheduler()

    def ask_again(self, username: str, visitor: Visitor) -> None:
        """Let the next run ask Gemini again about an account whose review failed.

        Raises:
            InputRejected: there is no such account, or its review has not failed.
        """
        with self._at.operation_db.connection() as connection:
            ask_review_again(connection, username, _actor(visitor))

    def decide_again(self, username: str, visitor: Visitor, *, replace_type: bool = False) -> None:
        """Let the next linking run decide again about a held or undone account (`asked.ask_decision_again`).

        Raises:
            InputRejected: there is no such account, or it can't be decided again.
        """
        with self._at.operation_db.connection() as connection:
            ask_decision_again(connection, username, _actor(visitor), replace_type=replace_type)

    def _thresholds(self) -> Thresholds:
        with suppress(PipelineFailure):
            return self._at.settings.readable(EntitySettings).thresholds
        return Thresholds()

    def _read_counts(self) -> Counts:
        with self._at.assets_db.connection() as connection:
            return queue.queue_counts(connection)

    def _read_backlog(self) -> Backlog:
        with self._at.assets_db.connection() as connection:
            waiting, oldest = waiting_accounts(connection)
        return Backlog(waiting=waiting, oldest=oldest, searches=waiting)


def _actor(visitor: Visitor) -> Actor:
    return Actor(PAGE_ACTOR, "page", visitor.name)
