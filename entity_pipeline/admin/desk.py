"""Everything the page and the API show or change, behind one object. See `figures.py` for the values.

Raises everywhere: `DatabaseUnavailable` or `SchemaMismatch` when a figure can't be had, each a sentence; the
server answers 503 with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from entity_pipeline.admin.access import Visitor
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.figures import (
    AccountFigures,
    Counts,
    Health,
    Part,
    QueuePage,
    QueueQuery,
    QuotaFigures,
    SchedulerFigures,
    SettingsChange,
)
from entity_pipeline.admin.kept import Kept
from entity_pipeline.admin.metrics_figures import Watch, Watched
from entity_pipeline.admin.quota import history_begins, quota_figures, spent_days
from entity_pipeline.core.audit import PAGE_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected, PipelineFailure
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.settings import GeminiSettings, limits_of
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings_change import assignments_of, edit_of
from entity_pipeline.domains.entities.accounts.queries.queue import waiting_count
from entity_pipeline.domains.entities.page import accounts, queue
from entity_pipeline.domains.entities.page.scheduler import decision_now, scheduler_figures
from entity_pipeline.domains.entities.reviews.question import PIPELINE, STEP
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini.ledger_reading import entries_of, spend_since
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.resources.settings_store import SettingsStore

COUNTS_KEPT_S = 15.0
PENDING_KEPT_S = 15.0


class Desk:
    """The figures of one installation, and the one change that can be made: of `pipeline_settings`."""

    def __init__(
        self,
        *,
        operation_db: Database,
        assets_db: Database,
        settings: SettingsStore,
        gemini: GeminiAccess,
        dagster: DagsterRecords,
        dagster_url: str | None = None,
        edit_url: str | None = None,
    ) -> None:
        self._operation_db = operation_db
        self._assets_db = assets_db
        self._settings = settings
        self._gemini = gemini
        self._dagster = dagster
        self._dagster_url = dagster_url
        self._edit_url = edit_url
        self._counts = Kept(self._read_counts, COUNTS_KEPT_S)
        self._pending = Kept(self._read_pending, PENDING_KEPT_S)
        self._watch = Watch(
            operation_db=operation_db, assets_db=assets_db, settings=settings, gemini=gemini, dagster=dagster
        )

    def health(self) -> Health:
        """What is away. Never raises, and says no more than a stranger may know."""
        parts = []
        for name, database in (("operation", self._operation_db), ("assets", self._assets_db)):
            problem = None
            try:
                with database.connection() as connection:
                    connection.execute("select 1")
            except PipelineFailure:
                problem = f"The database `{name}` can't be reached."
            parts.append(Part(name=name, problem=problem))
        ok = all(part.problem is None for part in parts)
        parts.append(Part(name="dagster", problem=self._dagster.problem()))
        return Health(ok=ok, parts=parts)

    def watched(self) -> Watched:
        """What `/metrics` tells, at most some seconds old. Never raises."""
        return self._watch.look()

    def scheduler(self) -> SchedulerFigures:
        """The switch, the plan, ticks and runs."""
        now = datetime.now(UTC)
        dagster, in_flight = self._dagster.figures()
        decision = decision_now(self._settings, self._operation_db, self._gemini, in_flight, now)
        return scheduler_figures(self._settings, decision, dagster, now)

    def quota(self) -> QuotaFigures:
        """The ledger's day, 30 days and the forecast."""
        now = datetime.now(UTC)
        status = self._gemini.quota(limits_of(self._settings.readable(GeminiSettings)))
        kept = self._gemini.spend(history_begins(status.quota_day))
        rows = spent_days(status.quota_day, kept, partial(spend_since, self._assets_db))
        pending: int | None = None
        with suppress(PipelineFailure):
            pending = self._pending.get()
        return quota_figures(status, rows, pending, now)

    def queue(self, query: QueueQuery) -> QueuePage:
        """One page. Raises `InputRejected` for a cursor of another query or of nobody's making."""
        with self._operation_db.connection() as connection:
            return queue.queue_page(connection, query)

    def counts(self) -> Counts:
        """States and reasons; kept for some seconds."""
        return self._counts.get()

    def export_csv(self, query: QueueQuery) -> Iterator[bytes]:
        """Every row of the query, `cursor` and `limit` aside, in batches."""
        return queue.csv_chunks(queue.export_rows(self._operation_db, query))

    def export_json(self, query: QueueQuery) -> Iterator[bytes]:
        """The same as one JSON array."""
        return queue.json_chunks(queue.export_rows(self._operation_db, query))

    def account(self, username: str) -> AccountFigures | None:
        """One account by its username as stored, or by its handle; None when there is none."""
        if not _can_be_stored(username):
            return None
        thresholds = self._thresholds()
        with self._operation_db.connection() as connection:
            found = accounts.account_figures(
                connection, username, thresholds, dagster_url=self._dagster_url, edit_url=self._edit_url
            )
        if found is None:
            return None
        if found.handle is None:  # never asked about
            return accounts.with_ledger(found, [])
        with suppress(PipelineFailure):
            entries = entries_of(self._assets_db, PIPELINE, STEP, found.handle, accounts.MOST_ROWS)
            return accounts.with_ledger(found, entries)
        return found

    def search_suggestions(self, username: str) -> str | None:
        """Google's HTML as stored with the reply; hostile until proven otherwise."""
        if not _can_be_stored(username):
            return None
        with self._operation_db.connection() as connection:
            return accounts.suggestions_of(connection, username)

    def change(self, change: SettingsChange, visitor: Visitor) -> SchedulerFigures:
        """Make a change and record it.

        Raises:
            InputRejected: a value is not allowed, or nothing is asked for; nothing was changed.
            StaleSettings: somebody changed the row meanwhile; it has the row as it stands.
        """
        if change.is_enabled is None and not change.settings:
            raise InputRejected("Nothing was changed: say what, in is_enabled or settings.")

        edit = edit_of(
            EntitySettings, list(assignments_of(change.settings or {})), is_enabled=change.is_enabled
        )
        self._settings.change(
            EntitySettings, edit, Actor(PAGE_ACTOR, "page", visitor.name), change.updated_at
        )
        return self.scheduler()

    def _thresholds(self) -> Any:
        with suppress(PipelineFailure):
            return self._settings.readable(EntitySettings).thresholds
        return EntitySettings().thresholds

    def _read_counts(self) -> Counts:
        with self._operation_db.connection() as connection:
            return queue.queue_counts(connection)

    def _read_pending(self) -> int:
        with self._operation_db.connection() as connection:
            return waiting_count(connection)


def _can_be_stored(username: str) -> bool:
    """Whether PostgreSQL could hold it at all. People's rows may hold characters that nobody sees."""
    return "\x00" not in username and not any("\ud800" <= letter <= "\udfff" for letter in username)


@contextmanager
def desk_of_environment(*, dagster_url: str | None, edit_url: str | None) -> Iterator[Desk]:
    """The desk on the databases of the environment; closes everything at the end.

    Raises:
        ConfigurationFailure: a variable is missing or wrong.
    """
    records = DagsterRecords(dagster_url)
    resources = resources_of_environment()
    wanted = {key: resources[key] for key in ("operation_db", "assets_db", "settings", "gemini")}
    try:
        with dg.build_resources(wanted) as built:
            yield Desk(
                operation_db=built.operation_db,
                assets_db=built.assets_db,
                settings=built.settings,
                gemini=built.gemini,
                dagster=records,
                dagster_url=dagster_url,
                edit_url=edit_url,
            )
    finally:
        records.close()
