"""Read Dagster's storage with a short time limit, because the pages also work without it.

Dagster's own storage has no time limit on a connection, so it is read in a thread that is abandoned after `PATIENCE_S`.
Concurrent readers share one result. What is read belongs to `dagster_figures.py`.
"""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from typing import Any, TypeVar

import dagster as dg
from dagster_shared.check import CheckError
from sqlalchemy.exc import SQLAlchemyError

from entity_pipeline.admin.automation import Automation
from entity_pipeline.admin.cached_reading import CachedReading
from entity_pipeline.admin.dagster_figures import DagsterFigures, figures_of, without_dagster
from entity_pipeline.admin.texts import SHELL
from entity_pipeline.core.reasons import Reason

T = TypeVar("T")

PATIENCE_S = 3.0
_CACHED_S = 2.0
_log = logging.getLogger(__name__)


class DagsterRecords:
    """The Dagster instance of the environment, opened at first use.

    Args:
        ui_url: the address of the Dagster UI, for links; None for no links.
        open_instance: how the instance is opened; raises when there is none.
        automation: the domains of runs.
    """

    def __init__(
        self,
        ui_url: str | None = None,
        open_instance: Callable[[], dg.DagsterInstance] | None = None,
        automation: Automation | None = None,
    ) -> None:
        self._ui_url = ui_url
        self._automation = automation or Automation()
        self._open = open_instance or _instance_of_environment
        self._instance: dg.DagsterInstance | None = None
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._asking_for_others = threading.Lock()
        self._cached = CachedReading(self._read, _CACHED_S)

    def figures(self) -> DagsterFigures:
        """Ticks and runs; without Dagster all lists are empty."""
        return self._cached.get()

    def asked(self, ask: Callable[[dg.DagsterInstance], T]) -> T | None:
        """The result of `ask` on Dagster's storage; None when it can't be read within `PATIENCE_S`."""
        with suppress(_AwayError, NotInTime):
            answer: T = self._patiently(lambda: self._guarded(ask), self._asking_for_others)
            return answer
        return None

    def problem(self) -> str | None:
        """A sentence when Dagster's storage can't be read at all, else None."""
        return "Dagster's storage can't be read." if self.figures().away else None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._instance is not None:
                self._instance.dispose()
                self._instance = None

    def _read(self) -> DagsterFigures:
        try:
            found: DagsterFigures = self._patiently(
                lambda: self._guarded(lambda instance: figures_of(instance, self._ui_url, self._automation)),
                self._asking,
            )
        except _AwayError as error:
            return without_dagster(error.why, self._ui_url)
        except NotInTime:
            slow = Reason(SHELL, "dagster_slow", {"seconds": f"{PATIENCE_S:.0f}"})
            return without_dagster(slow, self._ui_url)
        return found

    def _guarded(self, ask: Callable[[dg.DagsterInstance], T]) -> T:
        try:
            return ask(self._opened())
        except (dg.DagsterError, CheckError, SQLAlchemyError, OSError) as error:
            _log.warning("Dagster's storage can't be read: %s", type(error).__name__)
            raise _AwayError(Reason(SHELL, "dagster_away")) from error

    def _opened(self) -> dg.DagsterInstance:
        with self._lock:
            if self._instance is None:
                self._instance = self._open()
            return self._instance

    def _patiently(self, ask: Callable[[], Any], asking: threading.Lock) -> Any:
        if not asking.acquire(timeout=PATIENCE_S):  # the thread before this one still hangs
            raise NotInTime
        answer: Future[Any] = Future()

        def work() -> None:
            try:
                found = ask()
            except BaseException as error:  # noqa: BLE001  raised again where the result is awaited
                asking.release()
                answer.set_exception(error)
            else:
                asking.release()
                answer.set_result(found)

        threading.Thread(target=work, name="dagster-records", daemon=True).start()
        return answer.result(PATIENCE_S)


class _AwayError(Exception):
    """Carries the reason to show."""

    def __init__(self, why: Reason) -> None:
        super().__init__(str(why))
        self.why = why


def _instance_of_environment() -> dg.DagsterInstance:
    if not os.environ.get("DAGSTER_HOME"):
        raise _AwayError(Reason(SHELL, "no_dagster_home"))
    return dg.DagsterInstance.get()
