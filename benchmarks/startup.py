"""Seconds until the code location is loaded, a command answers, `enrich` asks Gemini, and an empty run ends.

    .venv/bin/python benchmarks/startup.py [--short]

Everything is started as a separate process, with bytecode on disk as in an installation; beside each is its floor,
the same without our code. Runs go to Dagster's storage in the PostgreSQL that this starts. Most of the time is the
import of Dagster itself.
"""

import argparse
import compileall
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dagster as dg
import psycopg
from machine import described
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.standins import GeminiStandin

TIMES, SHORT_TIMES = 5, 1
REPOSITORY = Path(__file__).resolve().parents[1]
DAGSTER_YAML = (REPOSITORY / "dagster.yaml").read_text()
_LOAD = "import warnings; warnings.simplefilter('ignore'); {}.get_repository_def().load_all_definitions()"
LOAD_OURS = "from entity_pipeline.definitions import defs; " + _LOAD.format("defs")
LOAD_NOTHING = "import dagster as dg; " + _LOAD.format("dg.Definitions()")
POSTS = """
insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at)
select 'instagram', 'startup-' || n, jsonb_build_object('tagged_usernames', jsonb_build_array('startup_' || n)), at, at
from (select n, timestamptz '{day} 09:00+00' as at from generate_series({first}, {first} + 7) n) posts
"""
FIRST_CALL = (
    "select extract(epoch from min(created_at)) from gemini_usage_events where created_at > to_timestamp(%s)"
)


def ended(arguments: list[str]) -> tuple[float, float]:
    """Run Python to its end; wall and CPU seconds.

    Raises:
        SystemExit: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    took = time.perf_counter() - began
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def here(action: Callable[[], object]) -> tuple[float, float]:
    """The same for a call in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - cpu


@dg.op
def nothing() -> None:
    """An empty step, to measure Dagster alone."""


@dg.job(executor_def=dg.in_process_executor)
def job_of_nothing() -> None:
    """An empty run."""
    nothing()


class Startup:
    """Measures, and prints what it measured."""

    def __init__(
        self, postgres: EmbeddedPostgres, instance: dg.DagsterInstance, times: int, console: Console
    ) -> None:
        self._console = console
        self._assets = postgres.url("assets")
        self._instance = instance
        self._times = times
        self._posts = 0

    def note(
        self, what: str, measure: Callable[[], tuple[float, float]], floor: float | None = None
    ) -> float:
        """Print the medians; returns the wall seconds."""
        walls, cpus = zip(*(measure() for _ in range(self._times)), strict=True)
        ratio = "" if floor is None else f"   {median(walls) / floor:4.1f} x its floor"
        self._console.print(f"{what:<42} {median(walls):6.2f} s   {median(cpus):5.2f} s of CPU{ratio}")
        return median(walls)

    def until_first_call(self) -> tuple[float, float]:
        """`enrich` over eight new accounts: seconds until the first is reserved in the ledger, and all CPU seconds."""
        with psycopg.connect(self._assets, autocommit=True) as connection:
            text = POSTS.replace("{day}", str(FIRST_DAY)).replace("{first}", str(self._posts))
            connection.execute(text.encode())
            self._posts += 8
            began = time.time()
            _, cpu = ended(["-m", "entity_pipeline", "enrich"])
            found = connection.execute(FIRST_CALL, [began]).fetchone()
        if found is None or found[0] is None:
            raise SystemExit("enrich made no call")
        return float(found[0]) - began, cpu

    def run(self, job: str, config: dict[str, object] | None = None) -> tuple[float, float]:
        """A run over a cohort in which nothing waits, in this process."""
        definition = build_definitions().resolve_job_def(job)
        day = FIRST_DAY.replace(day=2).isoformat()
        return here(
            lambda: definition.execute_in_process(
                instance=self._instance, tags=range_tags(day, day), run_config={**(config or {}), **QUIET}
            )
        )


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def measure(startup: Startup, instance: dg.DagsterInstance) -> None:
    """Measure everything, one after the other, after one load that is not counted."""
    ended(["-c", LOAD_OURS])
    floor = startup.note("python -c 'import dagster'", lambda: ended(["-c", "import dagster"]))
    empty = startup.note("code location of nothing", lambda: ended(["-c", LOAD_NOTHING]))
    startup.note("code location, loaded", lambda: ended(["-c", LOAD_OURS]), empty)
    for command in ("--help", "quota", "status"):
        startup.note(
            f"entity-pipeline {command}", lambda c=command: ended(["-m", "entity_pipeline", c]), floor
        )  # type: ignore[misc]
    startup.note("entity-pipeline enrich, to its first call", startup.until_first_call, floor)
    startup.note(
        "entity-pipeline enrich, nothing to do", lambda: ended(["-m", "entity_pipeline", "enrich"]), floor
    )
    bare = startup.note(
        "a run of one empty op, in process",
        lambda: here(lambda: job_of_nothing.execute_in_process(instance=instance, run_config=QUIET)),
    )
    startup.note("linking_job, nothing to do, in process", lambda: startup.run("linking_job"), bare)
    startup.note(
        "enrichment_job, nothing to do, in process",
        lambda: startup.run("enrichment_job", enrichment_config(0)),
        bare,
    )
    startup.note("intake_job of an empty day, in process", lambda: startup.run("intake_job"), bare)
    tags = (
        "{"
        + ",".join(f'"{key}":"{day}"' for key, day in range_tags("2026-10-02", "2026-10-02").items())
        + "}"
    )
    launched = ["-m", "dagster", "job", "execute", "-m", "entity_pipeline.definitions", "-j", "linking_job"]
    startup.note("linking_job, a process of its own", lambda: ended([*launched, "--tags", tags]), floor)


def main(times: int, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(described())
    postgres = EmbeddedPostgres(folder, databases=("dagster", "assets", "operation"))
    with SharedServers(folder, [postgres]), GeminiStandin(latency_ms=20) as gemini:
        home = folder / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text(DAGSTER_YAML)
        os.environ.update(
            ASSETS_DATABASE_URL=postgres.url("assets"),
            OPERATION_DATABASE_URL=postgres.url("operation"),
            DAGSTER_POSTGRES_URL=postgres.url("dagster", driver="+psycopg2"),
            DAGSTER_HOME=str(home),
            DAGSTER_DISABLE_TELEMETRY="1",
            GEMINI_API_KEY="local",
            GEMINI_BASE_URL=gemini.url,
            PYTHONWARNINGS="ignore",
        )
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        compileall.compile_dir(REPOSITORY / "entity_pipeline", quiet=1)
        os.chdir(folder)  # no .env is found there
        migrations.migrate(postgres.url("assets"), postgres.url("operation"))
        with psycopg.connect(postgres.url("assets"), autocommit=True) as connection:
            connection.execute("update pipeline_settings set is_enabled = true")
        with dg.DagsterInstance.get() as instance:
            measure(Startup(postgres, instance, times, console), instance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds of loading, starting and running nothing.")
    parser.add_argument("--short", action="store_true", help=f"everything once in place of {TIMES} times")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
        main(SHORT_TIMES if options.short else TIMES, Path(temporary) / "server")
