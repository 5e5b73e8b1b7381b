"""`entity-pipeline influencers api` as a process: real sockets, its end by a signal, and its memory."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.api.conftest import BEARER, KEY

_START_LIMIT_S = 60.0
_END_LIMIT_S = 30.0
_MEMORY_LIMIT_BYTES = 512_000_000


class Served:
    """One server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        sent = {**BEARER, "content-type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, sent)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Served]:
    variables = {
        "ASSETS_DATABASE_URL": assets_db.url,
        "OPERATION_DATABASE_URL": operation_db.url,
        "SCRAPER_API_KEY": KEY,
    }
    port = free_port()
    process = Command(folder, variables).start("influencers", "api", "--port", str(port))
    server = Served(process, port)
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            try:
                server.ask("/api/health")
                break
            except urllib.error.URLError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.communicate()


def test_it_serves_many_at_once_in_little_memory(
    tmp_path: Path,
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    record_property: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(tmp_path, assets_db, operation_db) as server, ThreadPoolExecutor(16) as callers:

        def ask(n: int) -> int:
            names = [f"name{n}_{one}" for one in range(250)]
            made, _ = server.ask("/api/tasks/scrape", {"usernames": names})
            listed, page = server.ask("/api/tasks?limit=200&offset=10")
            assert (made, listed) == (202, 200), page
            return len(page["tasks"])

        assert set(callers.map(ask, range(40))) == {200}
        memory = psutil.Process(server.process.pid).memory_info().rss
    record_property("memory_bytes", memory)
    with capsys.disabled():
        sys.stdout.write(f" [memory of the API after 80 requests: {memory / 1e6:.0f} MB]")
    assert memory < _MEMORY_LIMIT_BYTES
    with assets_db.connection() as connection:
        assert connection.execute("select count(*) from scrape_tasks").fetchone() == (10_000,)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_ends_before_the_server_does(
    tmp_path: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase, how: signal.Signals
) -> None:
    with (
        served(tmp_path, assets_db, operation_db) as server,
        assets_db.connection() as connection,
        ThreadPoolExecutor(1) as callers,
    ):
        with connection.transaction():
            connection.execute("lock table scrape_tasks in access exclusive mode")
            asked = callers.submit(server.ask, "/api/tasks/scrape", {"usernames": ["ada"]})
            with assets_db.connection() as other:
                while not other.execute("select from pg_locks where not granted").fetchall():
                    time.sleep(0.01)
            server.process.send_signal(how)
            deadline = time.monotonic() + _END_LIMIT_S
            while True:
                try:
                    server.ask("/api/health")
                    assert time.monotonic() < deadline, "it takes no new request"
                    time.sleep(0.05)
                except OSError:
                    break
            assert server.process.poll() is None, "it waits for the one under way"
        status, answer = asked.result(30)
        assert (status, answer["created"][0]["username"]) == (202, "ada")
        _, err = server.process.communicate(timeout=_END_LIMIT_S)
        assert "Traceback" not in err
        assert KEY not in err
        assert server.process.returncode == 130


def test_an_address_that_others_reach_and_a_taken_port_are_refused(
    tmp_path: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    variables = {"ASSETS_DATABASE_URL": assets_db.url, "OPERATION_DATABASE_URL": operation_db.url}
    command = Command(tmp_path, variables)
    open_to_all = command("influencers", "api", "--host", "0.0.0.0")
    assert "--behind-proxy" in open_to_all.failure
    assert "warning: SCRAPER_API_KEY is not set" in open_to_all.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert (
            "can't be served" in command("influencers", "api", "--port", str(taken.getsockname()[1])).failure
        )
