"""Run the pipeline's own Dagster jobs in this process, so that a command does exactly what the UI does."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from entity_pipeline.cli.services import innermost
from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.resources.dagster_address import mistake_in
from entity_pipeline.shared.runs.tags import LAUNCHED_BY_TAG, range_tags

PROCESS_TAG = ".dagster/process"  # hidden in the UI
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class RunFailed(PipelineFailure):
    """A run ended in an error; the text says what stopped it."""


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME if it has storage, so that runs appear in the UI; else one in memory.

    Raises:
        ConfigurationFailure: Dagster could not read the address of its storage.
    """
    home, url = os.environ.get("DAGSTER_HOME"), os.environ.get("DAGSTER_POSTGRES_URL")
    if home and url and (Path(home) / "dagster.yaml").exists():
        if mistake := mistake_in(url):
            raise ConfigurationFailure(mistake)
        with _instance_of_environment() as instance:
            _bury_dead_runs(instance)
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


def _instance_of_environment() -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except Exception as error:  # noqa: BLE001  Dagster lets errors of SQLAlchemy and of two drivers through
        # Without their texts, which may hold the password.
        raise ConfigurationFailure(
            f"Dagster's own database can't be opened ({type(error).__name__}): check DAGSTER_POSTGRES_URL and that it "
            "runs, or unset it to keep no runs."
        ) from None


class Runner:
    """Executes jobs of a code location over ranges of partitions."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        self._definitions = definitions
        self._instance = instance

    def run(
        self, job_name: str, days: tuple[date, date] | None = None, config: dict[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Execute one run to its end.

        Raises:
            PipelineFailure: what stopped it, as a sentence.
            KeyboardInterrupt: Ctrl-C; requests in progress have finished.
        """
        tags = {PROCESS_TAG: _this_process(), LAUNCHED_BY_TAG: "command"}
        if days is not None:
            tags |= range_tags(days[0].isoformat(), days[1].isoformat())
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        job = self._definitions.resolve_job_def(job_name)
        try:
            return job.execute_in_process(
                instance=self._instance, tags=tags, run_config={**(config or {}), **quiet}
            )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        except Exception as error:
            raise _as_failure(error, job_name) from error


def _as_failure(error: Exception, job_name: str) -> PipelineFailure:
    """The failure for an error that Dagster wraps; the sentence for people is in the innermost exception."""
    root = innermost(error)
    if isinstance(root, PipelineFailure):
        return root
    if isinstance(root, dg.Failure):
        return RunFailed(root.description or str(root))
    reason = " ".join(str(root).split())[:500]
    if isinstance(root, dg.DagsterError) and "blocking asset check" in reason:
        return RunFailed(
            f"{job_name} stopped: {reason}. Run `entity-pipeline doctor` to see why, and see docs/runbook.md."
        )
    return RunFailed(f"{job_name} stopped on an unexpected {type(root).__name__}: {reason}")


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time())}"


def _bury_dead_runs(instance: dg.DagsterInstance) -> None:
    """Close runs that a killed command left open: no daemon watches them, and they occupy places in pools."""
    host = socket.gethostname()
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(PROCESS_TAG, "").rsplit(":", 2)
        if len(process) == 3 and process[0] == host and not _is_alive(int(process[1]), int(process[2])):
            instance.report_run_failed(run, "The process that executed this run has ended.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_alive(pid: int, started_at: int) -> bool:
    try:
        return abs(int(psutil.Process(pid).create_time()) - started_at) <= 1
    except psutil.Error:
        return False
