"""A process that executes runs on behalf of the soak and may be killed in the middle of one.

``python -m entity_pipeline_tests.reliability.soak_worker`` imports everything once and then forks for each run
it reads on its standard input, so that a killed run costs milliseconds and not the imports.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.reliability.soak_clock import SimulatedTime
from entity_pipeline_tests.reliability.soak_installation import (
    Addresses,
    Launched,
    dagster_instance,
    definitions,
    every_log_line,
    execute,
    waits_are_simulated,
)
from entity_pipeline_tests.reliability.soak_sabotage import Sabotage, Saboteur


class Worker:
    """The soak's end of the process; a context manager. One run at a time."""

    def __init__(self, addresses: Addresses, clock_path: Path) -> None:
        self._start = {"addresses": asdict(addresses), "clock": str(clock_path)}
        self._process: subprocess.Popen[str]

    def begin(self, run: Launched, sabotage: Sabotage) -> None:
        """Let a fork start with `run`."""
        self._write({"run": asdict(run), "sabotage": asdict(sabotage)})

    def outcome(self) -> str:
        """Wait for the run's end: ``killed``, ``success``, ``failure`` or what it died of."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return str(json.loads(line)) if line else "the worker is gone"

    def __enter__(self) -> Self:
        module = "entity_pipeline_tests.reliability.soak_worker"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _write(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()


def main() -> None:
    """Fork for each run until the input ends."""
    import google.genai  # noqa: F401  before any fork, not in each
    import instaloader  # noqa: F401

    start = json.loads(sys.stdin.readline())
    addresses, clock_path = Addresses(**start["addresses"]), Path(start["clock"])
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(addresses, clock_path, Launched(**order["run"]), Sabotage(**order["sabotage"])))
        _, status = os.waitpid(child, 0)
        ended = (
            "killed" if os.WIFSIGNALED(status) else ("success", "failure", "broke")[os.WEXITSTATUS(status)]
        )
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


def _run(addresses: Addresses, clock_path: Path, run: Launched, sabotage: Sabotage) -> int:
    try:
        folder = Path(addresses.folder)
        clock = SimulatedTime(clock_path)
        saboteur = Saboteur()
        with (
            clock,
            waits_are_simulated(clock),
            every_log_line(folder / "worker.log"),
            dagster_instance(folder) as instance,
        ):
            loaded = definitions(addresses, FakeObjectStore())
            saboteur.arm(sabotage)
            result = execute(loaded, instance, run)
            saboteur.disarm()
        return 0 if result.success else 1
    except BaseException:  # noqa: BLE001 - a fork must end here and not run on as its parent
        import traceback

        traceback.print_exc()
        return 2


if __name__ == "__main__":
    main()
