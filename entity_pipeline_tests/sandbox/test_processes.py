"""Detached processes, with small Python programs in place of servers."""

import os
import signal
import socket
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.sandbox import processes

SLEEPER = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEPER}"


def launch(program: str, log: Path, *arguments: str) -> psutil.Process:
    process = processes.launch([sys.executable, "-c", program, *arguments], log=log, environment=os.environ)
    assert process is not None
    return process


def test_a_launched_process_is_detached_and_is_found_by_its_arguments(tmp_path: Path) -> None:
    name = f"folder of {uuid.uuid4()}"
    process = launch(SLEEPER, tmp_path / "log", name)
    try:
        assert process not in psutil.Process().children(recursive=True)
        assert os.getsid(process.pid) != os.getsid(0)
        assert processes.find(lambda arguments: arguments[-1] == name) == process
    finally:
        processes.stop(process, processes.TERMINATE)
    assert processes.find(lambda arguments: arguments[-1] == name) is None


def test_a_process_that_ignores_the_first_signal_gets_the_next(tmp_path: Path) -> None:
    process = launch(STUBBORN, tmp_path / "log")
    while processes.last_line(tmp_path / "log") != "up":
        time.sleep(0.01)
    processes.stop(process, ((signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0)))
    assert not processes.is_alive(process)


def test_stopping_what_is_not_there_does_nothing() -> None:
    started = time.monotonic()
    processes.stop(None, processes.TERMINATE)
    assert not processes.is_alive(None)
    assert time.monotonic() - started < 1


def test_a_server_that_ends_on_its_own_is_reported_with_its_last_output(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(ConfigurationFailure, match="the disk is on fire"):
        processes.launch_until_ready(
            lambda port: launch("raise SystemExit('the disk is on fire')", log),
            ready=lambda port: False,
            port=None,
            keep_port=lambda port: None,
            log=log,
        )


def test_the_previous_port_is_used_again_unless_it_is_taken() -> None:
    port = processes.free_port()
    assert processes.free_port(port) == port
    with socket.create_server((processes.LOOPBACK, port)):
        assert processes.free_port(port) not in (port, 0)


def test_a_port_that_answers_no_http_has_no_status() -> None:
    with socket.create_server((processes.LOOPBACK, 0)) as silent:
        silent.listen()
        port = silent.getsockname()[1]
    assert processes.http_status(port) is None


def test_a_log_that_grew_too_large_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 5_000_001)
    processes.stop(launch(SLEEPER, log), processes.TERMINATE)
    assert log.stat().st_size == 0
