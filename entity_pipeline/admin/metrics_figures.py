"""What `/metrics` is made of: three parts, read side by side, each with little patience and kept for some seconds.

Surprising: nothing here raises. A scraper takes a refusal for "the target is down" and shows nothing at all, so a
database that is away makes its part absent and leaves the others.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import dagster as dg

from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.core.failures import DatabaseUnavailable, PipelineFailure
from entity_pipeline.core.gemini.access import GeminiAccess, RecentReplies
from entity_pipeline.core.gemini.ledger import QuotaStatus
from entity_pipeline.core.gemini.settings import GeminiSettings, limits_of
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities.accounts.queries.metric_counts import (
    StateCount,
    accounts_by_state,
    pictures_put_off,
    pool_states,
    route_states,
)
from entity_pipeline.domains.entities.accounts.queries.queue import reason_counts
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini.ledger_reading import RequestCount, requests_of_day
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.alerts.sensor import failing_jobs, last_decision
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT

T = TypeVar("T")
_log = logging.getLogger(__name__)

# A scraper gives up after ten seconds.
PATIENCE_S = 6.0
LEDGER_KEPT_S = 5.0
ACCOUNTS_KEPT_S = 15.0
RUNS_KEPT_S = 5.0
_RECENT = timedelta(days=1)


@dataclass
class LedgerFigures:
    """Of the database `assets`. `gate` is ``"open"`` or why it is closed; None is what nobody can tell now."""

    gate: str | None = None
    quota: QuotaStatus | None = None
    requests: Sequence[RequestCount] | None = None
    replies: RecentReplies | None = None
    pool: Mapping[str, int] | None = None
    routes: Mapping[str, int] | None = None


@dataclass
class QueueFigures:
    """Of the database `operation`. `reasons` has states `held` and `failed`."""

    states: Sequence[StateCount] | None = None
    reasons: Mapping[str, Mapping[str, int]] | None = None
    pictures_put_off: int | None = None


@dataclass
class RunFigures:
    """Of Dagster's storage: runs by status, jobs whose last run failed, and when the schedule last decided."""

    in_flight: Mapping[str, int] | None = None
    failing: frozenset[str] | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One part: `is_up` only when every figure of it could be had; `took_s` is what the reading took."""

    figures: T
    is_up: bool
    took_s: float


@dataclass(frozen=True)
class Watched:
    """All that is told of the pipeline."""

    ledger: Reading[LedgerFigures]
    accounts: Reading[QueueFigures]
    runs: Reading[RunFigures]


class Watch:
    """Reads the three parts; safe for threads. One reading of a part is under way at most."""

    def __init__(
        self,
        *,
        operation_db: Database,
        assets_db: Database,
        settings: SettingsStore,
        gemini: GeminiAccess,
        dagster: DagsterRecords,
    ) -> None:
        self._ledger = _Part(lambda: read_ledger(assets_db, settings, gemini), LedgerFigures, LEDGER_KEPT_S)
        self._accounts = _Part(lambda: read_accounts(operation_db), QueueFigures, ACCOUNTS_KEPT_S)
        self._runs = _Part(lambda: read_runs(dagster), RunFigures, RUNS_KEPT_S)

    def look(self) -> Watched:
        """Never raises, and returns after `PATIENCE_S` at the latest."""
        for part in (self._ledger, self._accounts, self._runs):
            part.start()
        until = time.monotonic() + PATIENCE_S
        return Watched(self._ledger.get(until), self._accounts.get(until), self._runs.get(until))


class _Part(Generic[T]):
    """What `read` returned, for `seconds`; it is read in a thread that is left to itself when it takes too long."""

    def __init__(self, read: Callable[[], Reading[T]], nothing: Callable[[], T], seconds: float) -> None:
        self._read = read
        self._nothing = nothing
        self._seconds = seconds
        self._lock = threading.Lock()
        self._answer: Future[Reading[T]] | None = None
        self._fresh_until = 0.0

    def start(self) -> None:
        """Begin to read, unless that is under way or what was read is fresh."""
        with self._lock:
            under_way = self._answer is not None and not self._answer.done()
            if under_way or (self._answer is not None and time.monotonic() < self._fresh_until):
                return
            answer: Future[Reading[T]] = Future()
            self._answer = answer
            self._fresh_until = time.monotonic() + self._seconds
        threading.Thread(target=self._work, args=(answer,), name="metrics", daemon=True).start()

    def get(self, until: float) -> Reading[T]:
        """What was read, or nothing when it is not there at `until` (monotonic)."""
        answer = self._answer
        assert answer is not None
        try:
            return answer.result(max(until - time.monotonic(), 0))
        except NotInTime:
            return Reading(self._nothing(), is_up=False, took_s=PATIENCE_S)

    def _work(self, answer: "Future[Reading[T]]") -> None:
        began = time.monotonic()
        try:
            answer.set_result(self._read())
        except Exception as error:  # noqa: BLE001  a scrape must not fail by what it looks at
            _log.exception("A part of the metrics can't be read: %s", type(error).__name__)
            answer.set_result(Reading(self._nothing(), is_up=False, took_s=time.monotonic() - began))


@dataclass
class _Asking:
    """Asks one thing after the other. Once a database is away, nothing more is asked of it."""

    is_up: bool = True
    is_away: bool = False
    began: float = field(default_factory=time.monotonic)

    def known(self, ask: Callable[[], T]) -> T | None:
        """The answer, or None when it can't be had."""
        if self.is_away:
            return None
        try:
            return ask()
        except DatabaseUnavailable:
            self.is_up, self.is_away = False, True
        except PipelineFailure:
            self.is_up = False
        return None

    def reading(self, figures: T) -> Reading[T]:
        """With how it went."""
        return Reading(figures, self.is_up, time.monotonic() - self.began)


def read_ledger(assets_db: Database, settings: SettingsStore, gemini: GeminiAccess) -> Reading[LedgerFigures]:
    """Gate, quota, today's requests, replies of 24 hours, and the Instagram pool."""
    asking, found = _Asking(), LedgerFigures()
    found.gate = asking.known(lambda: gate_state(settings))
    found.quota = asking.known(lambda: gemini.quota(limits_of(settings.readable(GeminiSettings))))
    if (quota := found.quota) is not None:
        found.requests = asking.known(lambda: requests_of_day(assets_db, quota.quota_day))
    found.replies = asking.known(lambda: gemini.recent_replies(datetime.now(UTC) - _RECENT))
    found.pool = asking.known(lambda: _asked(assets_db, pool_states))
    found.routes = asking.known(lambda: _asked(assets_db, route_states))
    return asking.reading(found)


def read_accounts(operation_db: Database) -> Reading[QueueFigures]:
    """Every account once, by state and reason."""
    now, asking, found = datetime.now(UTC), _Asking(), QueueFigures()
    found.states = asking.known(lambda: _asked(operation_db, lambda it: accounts_by_state(it, now)))
    found.reasons = asking.known(lambda: _asked(operation_db, reason_counts))
    if found.states is not None:
        # The whole list would be read to find none.
        later = any(row.profiles_later for row in found.states)
        found.pictures_put_off = (
            asking.known(lambda: _asked(operation_db, lambda it: pictures_put_off(it, now))) if later else 0
        )
    return asking.reading(found)


def read_runs(dagster: DagsterRecords) -> Reading[RunFigures]:
    """Dagster's own records, which have a patience of their own."""
    began = time.monotonic()
    found = dagster.asked(_runs_of)
    return Reading(found or RunFigures(), is_up=found is not None, took_s=time.monotonic() - began)


def gate_state(settings: SettingsAccess) -> str:
    """``"open"``, or the key of the reason why the gate is closed: one of `CLOSED_REASONS`."""
    state = settings.gate(EntitySettings)
    return state.reason.key if isinstance(state, Closed) else "open"


def _runs_of(instance: dg.DagsterInstance) -> RunFigures:
    return RunFigures(
        in_flight={
            status.value: instance.get_runs_count(dg.RunsFilter(statuses=[status])) for status in IN_FLIGHT
        },
        failing=frozenset(job.job for job in failing_jobs(instance, datetime.now(UTC) - _RECENT)),
        decided_at=last_decision(instance),
    )


def _asked(database: Database, ask: Callable[[Any], T]) -> T:
    with database.connection() as connection:
        return ask(connection)
