"""One installation as a process of the soak sees it: real resources and jobs on simulated time.

Only waiting is replaced. This module is used by the soak's own process and by its workers.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import create_engine

from entity_pipeline.core import patience
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.reviews import work as gemini_reviews
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.instagram import InstagramResource, seating
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.schema_probe import SchemaProbe
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.reliability.soak_clock import SimulatedTime

# Storage is SQLite in one file, so that the workers share it; the rest is as in dagster.yaml.
_DAGSTER_YAML = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config:
    base_dir: {folder}/events
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
concurrency:
  pools:
    granularity: op
    default_limit: 1
telemetry:
  enabled: false
"""


@dataclass(frozen=True)
class Addresses:
    """Where everything is; the same for every process of one soak."""

    assets_url: str
    operation_url: str
    gemini_url: str
    instagram_url: str
    key: str
    folder: str


@dataclass(frozen=True, slots=True)
class Launched:
    """One run to execute, as automation asked for it."""

    job: str
    partition: str | None
    tags: Mapping[str, str]
    config: Mapping[str, Any]


def make_dagster_home(folder: Path) -> None:
    """A home for `dagster_instance`, which may be opened by several processes."""
    (folder / "events").mkdir(parents=True)
    (folder / "dagster.yaml").write_text(_DAGSTER_YAML.format(folder=folder))


@contextmanager
def dagster_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of a soak."""
    engines: dict[str, Any] = {}

    def one_engine(address: str, **options: Any) -> Any:
        if address not in engines:
            engines[address] = create_engine(address, **options)
        return engines[address]

    with ExitStack() as stack:
        for module in (consolidated_sqlite_event_log, sqlite_run_storage):
            # Otherwise each statement would create an engine and compile its SQL again, a third of the soak's time.
            stack.enter_context(_replaced(vars(module), "create_engine", one_engine))
        yield stack.enter_context(dg.DagsterInstance.from_config(str(folder)))


@contextmanager
def waits_are_simulated(clock: SimulatedTime) -> Iterator[None]:
    """Simulate every wait in this process, for a quota or for a database."""
    with (
        _replaced(vars(gemini_reviews), "Event", clock.event),
        _replaced(patience.patiently.__kwdefaults__ or {}, "sleep", clock.sleep),
        _replaced(vars(seating), "Seating", partial(seating.Seating, sleep=clock.sleep)),
    ):
        yield


@contextmanager
def _replaced(where: dict[str, Any], name: str, value: Any) -> Iterator[None]:
    before = where[name]
    where[name] = value
    try:
        yield
    finally:
        where[name] = before


def definitions(addresses: Addresses, pictures: Any) -> dg.Definitions:
    """What Dagster loads, on the soak's addresses."""
    assets, operation = (
        PostgresResource(url=addresses.assets_url),
        PostgresResource(url=addresses.operation_url),
    )
    return build_definitions(
        {
            "assets_db": assets,
            "operation_db": operation,
            "schema": SchemaProbe(assets_db=assets, operation_db=operation),
            "settings": SettingsStore(assets_db=assets, operation_db=operation),
            "gemini": GeminiResource(assets_db=assets, api_key=addresses.key, base_url=addresses.gemini_url),
            "instagram": InstagramResource(assets_db=assets, base_url=addresses.instagram_url),
            "r2": pictures,
        }
    )


def execute(loaded: dg.Definitions, instance: dg.DagsterInstance, run: Launched) -> dg.ExecuteInProcessResult:
    """Execute the run through the real job."""
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    how: dict[str, Any] = {"partition_key": run.partition} if run.partition else {"tags": dict(run.tags)}
    return loaded.resolve_job_def(run.job).execute_in_process(
        instance=instance, run_config={**run.config, **quiet}, raise_on_error=False, **how
    )


@contextmanager
def every_log_line(into: Path) -> Iterator[None]:
    """Append everything that any library of this process logs, down to DEBUG, to a file."""
    handler = logging.FileHandler(into)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()
