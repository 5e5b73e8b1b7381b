"""Detached local servers: launch, find again, wait until ready, stop.

There are no PID files. A server is found by its own command line, which names its data folder, so nothing can go stale,
and a server whose launcher was killed is found like any other.
"""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from entity_pipeline.core.failures import ConfigurationFailure

LOOPBACK = "127.0.0.1"
TERMINATE = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
_READY_WITHIN_S = 60.0
_POLL_S = 0.02
_ATTEMPTS = 5
_LARGEST_LOG_BYTES = 5_000_000

# The shell ends at once, so the server is not our child: it leaves no zombie, and Ctrl-C in a terminal can't reach it.
_DETACH = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


def launch(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> psutil.Process | None:
    """Start `command` detached, its output appended to `log`; None when it ended at once."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG_BYTES:
        log.unlink()
    shell = subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(log), *command],
        stdout=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
        check=True,
    )
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(int(shell.stdout))
    return None


def launch_until_ready(
    launch_on: Callable[[int], psutil.Process | None],
    *,
    ready: Callable[[int], bool],
    port: int | None,
    keep_port: Callable[[int], None],
    log: Path,
) -> int:
    """Launch on the last `port`, or on another one when it is taken; returns the port that answers.

    `keep_port` is called before each launch, so that a server never runs on a port that is not recorded.

    Raises:
        ConfigurationFailure: the server ends on its own every time, or does not answer within 60 s.
    """
    deadline = time.monotonic() + _READY_WITHIN_S
    for attempt in range(_ATTEMPTS):
        port = free_port(port)
        keep_port(port)
        process = launch_on(port)
        if wait_until_ready(process, partial(ready, port), deadline):
            return port
        if is_alive(process):
            stop(process, TERMINATE)
            break
        time.sleep(attempt * 0.2)
    raise ConfigurationFailure(f"A sandbox server did not start: {last_line(log)} (more in {log})")


def wait_until_ready(process: psutil.Process | None, ready: Callable[[], bool], deadline: float) -> bool:
    """Poll until `ready`; False when the process has ended or the monotonic `deadline` has passed."""
    while is_alive(process) and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(_POLL_S)
    return False


def find(matches: Callable[[list[str]], bool]) -> psutil.Process | None:
    """Our own process whose argument list `matches`, or None. Zombies have no arguments and never match."""
    for process in psutil.process_iter(["cmdline", "uids"]):
        arguments, uids = process.info["cmdline"], process.info["uids"]
        if arguments and uids and uids.effective == os.geteuid() and matches(arguments):
            return process
    return None


def is_alive(process: psutil.Process | None) -> bool:
    """Whether the process runs. False for a zombie, which stays forever where PID 1 does not reap processes."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(process: psutil.Process | None, ladder: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal of the `ladder` in turn, waiting that many seconds, until the process is gone."""
    for step, patience_s in ladder:
        if process is None or not is_alive(process):
            return
        with suppress(psutil.NoSuchProcess):
            process.send_signal(step)
        deadline = time.monotonic() + patience_s
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def free_port(preferred: int | None = None) -> int:
    """`preferred` if it is free, else any free TCP port of the loopback interface."""
    for candidate in (preferred, 0) if preferred else (0,):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # Connections of the last run may still be in TIME_WAIT; they must not make the port unusable.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOOPBACK, candidate or 0))
                return int(probe.getsockname()[1])
    raise ConfigurationFailure("No free TCP port on 127.0.0.1: is the loopback interface up?")


def http_status(port: int, path: str = "/") -> int | None:
    """Status of a GET on the loopback interface, or None without an answer. Ignores proxy variables."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def last_line(log: Path) -> str:
    """The last line in a server's log, for an error message."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
