"""The process that is killed: forked, with everything already imported, from this one, which lives on.

One line of JSON on standard input is one run; the answers are ``{"pid": ...}`` at once and ``{"code": ...}``
when it has ended. An order with ``here`` is carried out by this process itself, which makes later copies faster.
A fork is taken from a process of one thread, or locks would be copied as held.
"""

import contextlib
import gc
import json
import os
import sys
import threading
import traceback
from datetime import date, timedelta
from typing import Any

import boto3
import botocore.config
import dagster as dg
import instaloader
import PIL.JpegImagePlugin
from google import genai

from entity_pipeline.cli.runs import Runner
from entity_pipeline.cli.services import services
from entity_pipeline.core.audit import COMMAND_ACTOR, Actor
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.settings_change import Assignment, edit_of
from entity_pipeline.definitions import defs
from entity_pipeline.domains.entities.commands.pipeline import Pipeline
from entity_pipeline.resources.gemini import batch_submission
from entity_pipeline.resources.instagram import attempt
from entity_pipeline.resources.instagram.operations import picture as pictures
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.resources.gemini.batch_cases import calls_about
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP

WARM = (boto3, botocore.config, instaloader, PIL.JpegImagePlugin, genai, attempt, pictures, batch_submission)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Runs:
    """Carries out orders. Nothing is connected yet when a copy of it is made."""

    def __init__(self, instance: dg.DagsterInstance, built: Any) -> None:
        self._instance = instance
        self._built = built
        self._job = defs.resolve_implicit_global_asset_job_def()

    def asset(self, name: str, first: str, last: str) -> bool:
        """One asset alone, as the UI does it."""
        result = self._job.execute_in_process(
            instance=self._instance,
            run_config=QUIET,
            asset_selection=[dg.AssetKey(name)],
            tags=range_tags(first, last),
        )
        return bool(result.success)

    def stage(self, name: str, first: str, last: str) -> bool:
        """What is pending in some cohorts, as `entity-pipeline enrich` does it."""
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        days = [start + timedelta(days=nth) for nth in range((end - start).days + 1)]
        getattr(Pipeline(self._built, Runner(self._instance, defs), days), name)()
        return True

    def settings(self) -> bool:
        """One change of a shared row from the row as it is, as the command and the page make it."""
        store = self._built.settings
        row = store.row(GeminiSettings)
        edit = edit_of(GeminiSettings, [Assignment(("daily_grounding_cap",), 7)], is_enabled=False)
        store.change(GeminiSettings, edit, Actor(COMMAND_ACTOR, "cli", "mina"), row and row.updated_at)
        return True

    def submit(self) -> bool:
        """One batch of three requests, the same each time."""
        self._built.gemini.submit(calls_about(3), run_id="a run")
        return True

    def collect(self) -> bool:
        """One look at each batch that is open."""
        for name in self._built.gemini.open_batches(STEP):
            self._built.gemini.collect(name)
        return True


def main() -> None:
    """Serve until standard input ends."""
    with dg.DagsterInstance.ephemeral() as instance, services() as built:
        runs = Runs(instance, built)
        for line in sys.stdin:
            order = json.loads(line)
            if order["here"]:
                _say({"pid": os.getpid()})
                _say({"code": _carry_out(order, runs)})
            else:
                assert threading.active_count() == 1
                gc.collect()
                gc.freeze()  # or the first collection of each copy would copy every page
                pid = os.fork()
                if pid == 0:
                    os._exit(_carry_out(order, runs))
                _say({"pid": pid})
                _say({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


def _carry_out(order: dict[str, Any], runs: Runs) -> int:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is where the answers go
            if order["what"] == "settings":
                return int(not runs.settings())
            if order["what"] in ("submit", "collect"):
                return int(not getattr(runs, order["what"])())
            run = runs.stage if order["what"] in ("intake", "review", "link") else runs.asset
            return int(not run(order["what"], *order["days"]))
    except BaseException:  # noqa: BLE001 - whatever it is, the copy must not go on as the server
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()


def _say(words: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
