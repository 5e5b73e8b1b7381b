"""What Dagster's storage says of ticks and runs. Read only, and with little patience: the page works without it.

Surprising: Dagster's own storage has no time limit on a connection, so it is asked in a thread that is left to
itself after `PATIENCE_S`. Many who look at once share one answer.
"""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import dagster as dg
from dagster_shared.check import CheckError
from sqlalchemy.exc import SQLAlchemyError

from entity_pipeline.admin.figures import DagsterFigures, RunInFlight, Tick
from entity_pipeline.admin.kept import Kept
from entity_pipeline.domains.entities import jobs
from entity_pipeline.domains.entities.page.accounts import run_url
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT

T = TypeVar("T")

PATIENCE_S = 3.0
_KEPT_S = 2.0
_MOST_RUNS = 50
# A run of chosen assets, for example of a backfill, has a job without a name of its own.
_NAMELESS_JOB = "__ASSET_JOB"
_log = logging.getLogger(__name__)


class DagsterRecords:
    """Dagster's instance of the environment, opened at first use.

    Args:
        open_instance: how the instance is opened; raises when there is none.
        ui_url: where people see the Dagster UI, for links; None for no links.
    """

    def __init__(
        self, ui_url: str | None = None, open_instance: Callable[[], dg.DagsterInstance] | None = None
    ) -> None:
        self._ui_url = ui_url
        self._open = open_instance or _instance_of_environment
        self._instance: dg.DagsterInstance | None = None
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._asking_for_others = threading.Lock()
        self._kept = Kept(self._ask, _KEPT_S)

    def figures(self) -> tuple[DagsterFigures, frozenset[date]]:
        """Ticks and runs, and the cohorts that `enrichment_job` works on; without Dagster all are empty."""
        return self._kept.get()

    def asked(self, ask: Callable[[dg.DagsterInstance], T]) -> T | None:
        """What `ask` finds in Dagster's storage; None when it can't be asked within `PATIENCE_S`."""
        with suppress(_AwayError, NotInTime):
            answer: T = self._patiently(lambda: self._guarded(ask), self._asking_for_others)
            return answer
        return None

    def problem(self) -> str | None:
        """Whether Dagster's storage can be asked at all: a sentence, or None."""
        return "Dagster's storage can't be read." if self.figures()[0].away else None

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            if self._instance is not None:
                self._instance.dispose()
                self._instance = None

    def _ask(self) -> tuple[DagsterFigures, frozenset[date]]:
        try:
            return self._patiently(lambda: self._guarded(self._figures_of), self._asking)
        except (_AwayError, NotInTime) as error:
            sentence = str(error) or f"Dagster's storage did not answer within {PATIENCE_S:.0f} s."
            return DagsterFigures(away=sentence, ui_url=self._ui_url, ticks=[], runs=[]), frozenset()

    def _guarded(self, ask: Callable[[dg.DagsterInstance], T]) -> T:
        try:
            return ask(self._opened())
        except (dg.DagsterError, CheckError, SQLAlchemyError, OSError) as error:
            _log.warning("Dagster's storage can't be read: %s", type(error).__name__)
            raise _AwayError(
                "Dagster's storage can't be read, so ticks and runs are not shown and runs in flight are not known: "
                "check DAGSTER_POSTGRES_URL and DAGSTER_HOME."
            ) from error

    def _figures_of(self, instance: dg.DagsterInstance) -> tuple[DagsterFigures, frozenset[date]]:
        runs = instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT), limit=_MOST_RUNS)
        figures = DagsterFigures(
            away=None,
            ui_url=self._ui_url,
            ticks=self._ticks(instance),
            runs=[self._run(record) for record in runs],
        )
        return figures, frozenset(jobs.RUNS.in_flight(instance, jobs.ENRICHMENT))

    def _opened(self) -> dg.DagsterInstance:
        with self._lock:
            if self._instance is None:
                self._instance = self._open()
            return self._instance

    def _ticks(self, instance: dg.DagsterInstance) -> list[Tick]:
        """The newest of each, schedules first. A name that moved to another code location has several states."""
        newest: dict[str, tuple[bool, Tick]] = {}
        for state in instance.all_instigator_state():
            is_sensor = state.instigator_type.value == "SENSOR"
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
                found = _tick(state.instigator_name, tick)
                if found.name not in newest or newest[found.name][1].at < found.at:
                    newest[found.name] = (is_sensor, found)
        return [tick for _, tick in sorted(newest.values(), key=lambda one: (one[0], -one[1].at.timestamp()))]

    def _run(self, record: dg.RunRecord) -> RunInFlight:
        run = record.dagster_run
        tags = run.tags
        first, last = (
            tags.get("dagster/asset_partition_range_start"),
            tags.get("dagster/asset_partition_range_end"),
        )
        since = (
            datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp
        )
        return RunInFlight(
            run_id=run.run_id,
            job=_name_of(run),
            status=run.status.value,
            partitions=tags.get("dagster/partition") or (f"{first}...{last}" if first and last else None),
            since=since,
            url=run_url(self._ui_url, run.run_id),
        )

    def _patiently(self, ask: Callable[[], Any], asking: threading.Lock) -> Any:
        if not asking.acquire(timeout=PATIENCE_S):  # the one before is still left to itself
            raise NotInTime
        answer: Future[Any] = Future()

        def work() -> None:
            try:
                found = ask()
            except BaseException as error:  # noqa: BLE001  it is raised again where the answer is asked for
                asking.release()
                answer.set_exception(error)
            else:
                asking.release()
                answer.set_result(found)

        threading.Thread(target=work, name="dagster-records", daemon=True).start()
        return answer.result(PATIENCE_S)


def _tick(name: str, tick: Any) -> Tick:
    error = tick.error.message.strip() if tick.error is not None else None
    return Tick(
        name=name,
        at=datetime.fromtimestamp(tick.timestamp, UTC),
        status=tick.status.value.lower(),
        said=tick.skip_reason or error,
        runs=list(tick.run_ids),
    )


def _name_of(run: dg.DagsterRun) -> str:
    if run.job_name != _NAMELESS_JOB:
        return run.job_name
    return ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name


class _AwayError(Exception):
    """The sentence to show."""


def _instance_of_environment() -> dg.DagsterInstance:
    if not os.environ.get("DAGSTER_HOME"):
        raise _AwayError(
            "DAGSTER_HOME is not set here, so ticks and runs are not shown and runs in flight not known."
        )
    return dg.DagsterInstance.get()
