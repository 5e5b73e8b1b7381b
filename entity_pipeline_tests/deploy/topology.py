"""The processes of `deploy/compose.yaml` without containers: code location, webserver and daemon.

As in the containers, their folder can't be written, even by root, which gives up that right. Each process leads a
process group, and SIGTERM goes to the group, as the containers' init sends it.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import entity_pipeline
from entity_pipeline.sandbox.processes import LOOPBACK, free_port, http_status

CHECKOUT = Path(entity_pipeline.__file__).parents[1]
DEPLOY = CHECKOUT / "deploy"
_PATIENCE_S = 110
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1

_LAUNCH = """
mutation ($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_RUN = """
query ($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      status
      eventConnection { events { __typename ... on MessageEvent { message } ... on ErrorEvent { error { message } } } }
    }
  }
}
"""
_LAUNCH_BACKFILL = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_BACKFILL = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs { status } } }
}
"""
_GREEN = """
query ($asset: AssetKeyInput!) {
  assetOrError(assetKey: $asset) { ... on Asset { assetMaterializations { partition } } }
}
"""


def give_up_writing_everywhere() -> None:
    """For `preexec_fn`: from now on the permissions of folders hold for root too. Does nothing for other users."""
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


def wait_for(condition: Callable[[], object], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Wait until the condition holds; a failure says which it was."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.25)


class Topology:
    """Started in order by `start`, ended by `stop`, whatever happens in between.

    `variables` go to the code location alone, as in `deploy/compose.yaml`: neither the webserver nor the daemon
    knows a database of ours or a key.
    """

    def __init__(self, folder: Path, storage_url: str, variables: Mapping[str, str]) -> None:
        self.home = folder / "home"
        self._logs = folder / "logs"
        self._temporary = folder / "tmp"
        for made in (self.home, self._logs, self._temporary):
            made.mkdir(parents=True)
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copyfile(DEPLOY / name, self.home / name)
        self.home.chmod(0o555)
        self.code_port = free_port()
        self.webserver_port = free_port()
        self._storage = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "TMPDIR": str(self._temporary),
            "TZ": "UTC",
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_POSTGRES_URL": storage_url,
            "CODE_LOCATION_HOST": LOOPBACK,
            "CODE_LOCATION_PORT": str(self.code_port),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        self._variables = variables
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Make Dagster's tables, then start the three services and wait until each of them answers."""
        made = self._spawn("tables", ["dagster", "instance", "migrate"], self._storage)
        assert made.wait(_PATIENCE_S) == 0, self.log("tables")
        self.start_code()
        workspace = ["-w", str(self.home / "workspace.yaml")]
        port = ["-h", LOOPBACK, "-p", str(self.webserver_port)]
        self._start("webserver", ["dagster_webserver", *port, *workspace], self._storage)
        self._start("daemon", ["dagster._daemon", "run", *workspace], self._storage)
        wait_for(lambda: self._answers("webserver", self._webserver_answers), "the webserver")

    def start_code(self) -> None:
        """Start the code location, or start it again if it has ended."""
        address = ["-h", LOOPBACK, "-p", str(self.code_port)]
        location = ["-m", "entity_pipeline.definitions", "--location-name", "entity_pipeline"]
        environment = self._storage | dict(self._variables)
        self._start("code", ["dagster", "api", "grpc", *address, *location], environment)
        wait_for(lambda: self._answers("code", self._code_answers), "the code location")

    def stop(self, name: str) -> int:
        """SIGTERM to the process and its children; returns the exit code once all of them are gone."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        code = process.wait(_PATIENCE_S)
        wait_for(lambda: not is_group_alive(process.pid), f"the children of the {name}", 10)
        return code

    def kill(self) -> None:
        """End everything after a failed test, so that nothing stays behind."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        self.home.chmod(0o755)

    def launch(self, job: str, tags: Mapping[str, str], config: Mapping[str, object] | None = None) -> str:
        """Launch a run as the button *Launch run* does; returns the run's id."""
        parameters = {
            "selector": {
                "repositoryLocationName": "entity_pipeline",
                "repositoryName": "__repository__",
                "jobName": job,
            },
            "mode": "default",
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer: dict[str, Any] = {}

        def is_launched() -> bool:
            answer.clear()
            answer.update(self._graphql(_LAUNCH, {"parameters": parameters})["launchRun"])
            # A code location that has just come back is asked again within seconds; until then it is away, then empty.
            return answer["__typename"] not in ("PythonError", "PipelineNotFoundError")

        wait_for(is_launched, "the webserver to reach the code location")
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def launch_backfill(self, assets: Sequence[str], days: Sequence[date]) -> str:
        """Launch a backfill as *Materialize* does for selected partitions; returns the backfill's id."""
        parameters = {
            "assetSelection": [{"path": [asset]} for asset in assets],
            "partitionNames": [day.isoformat() for day in days],
            "allPartitions": False,
        }
        answer = self._graphql(_LAUNCH_BACKFILL, {"parameters": parameters})["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill(self, backfill_id: str) -> Mapping[str, Any]:
        """The backfill's status, and those of its runs."""
        found: Mapping[str, Any] = self._graphql(_BACKFILL, {"id": backfill_id})["partitionBackfillOrError"]
        return found

    def green(self, asset: str) -> set[str]:
        """Partitions that the UI shows as materialised."""
        found = self._graphql(_GREEN, {"asset": {"path": [asset]}})["assetOrError"]
        return {str(event["partition"]) for event in found["assetMaterializations"]}

    def status(self, run_id: str) -> str:
        """The run's status as Dagster's records have it."""
        return str(self._graphql(_RUN, {"id": run_id})["runOrError"]["status"])

    def messages(self, run_id: str) -> str:
        """Everything that the UI shows of a run's events."""
        events = self._graphql(_RUN, {"id": run_id})["runOrError"]["eventConnection"]["events"]
        return "\n".join(
            f"{event.get('message')} {(event.get('error') or {}).get('message')}" for event in events
        )

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str, module: list[str], environment: Mapping[str, str]) -> None:
        self.processes[name] = self._spawn(name, module, environment)

    def _spawn(
        self, name: str, module: list[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        with (self._logs / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self.home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=give_up_writing_everywhere,  # noqa: PLW1509 - one system call, and no lock
            )

    def _answers(self, name: str, answers: Callable[[], bool]) -> bool:
        assert self.processes[name].poll() is None, self.log(name)
        return answers()

    def _webserver_answers(self) -> bool:
        return http_status(self.webserver_port, "/server_info") == 200

    def _code_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.code_port)) == 0

    def _graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self.webserver_port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:  # the answer to a mutation that failed
            answer = json.load(error)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def is_group_alive(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
