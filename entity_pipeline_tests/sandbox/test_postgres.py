"""The embedded PostgreSQL, for real: started, shared, killed and started again."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.sandbox import processes
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

PROGRAM = Path(__file__).with_name("server_user.py")
CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534


def server_process(folder: Path) -> psutil.Process | None:
    return processes.find(lambda arguments: arguments[1:3] == ["-D", str(folder / "postgres")])


@contextmanager
def another_user(
    folder: Path, python: str = sys.executable, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of `folder` until the block ends; killed at the latest then."""
    paths = os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)])
    with subprocess.Popen(
        [python, str(PROGRAM), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    ) as user:
        try:
            yield user
        finally:
            user.kill()


def url_of(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def leave(user: subprocess.Popen[str]) -> None:
    user.communicate()
    assert user.returncode == 0


@pytest.fixture
def folder(fast_path: Path) -> Iterator[Path]:
    """A folder whose server, if a test leaves one behind, is ended."""
    folder = fast_path / "box"
    yield folder
    EmbeddedPostgres(folder).stop()


def test_a_fresh_server_has_its_databases_in_utf8_and_keeps_rows_and_port_over_a_restart(
    folder: Path,
) -> None:
    server = EmbeddedPostgres(folder)
    with SharedServers(folder, [server]):
        url = server.url("operation")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE brands (name text)")
            connection.execute("INSERT INTO brands VALUES ('젠틀몬스터')")
            names = connection.execute(
                "SELECT datname, pg_encoding_to_char(encoding) FROM pg_database"
                " WHERE NOT datistemplate ORDER BY datname"
            ).fetchall()
            assert connection.info.server_version // 10_000 == 16
    assert names == [(name, "UTF8") for name in ("assets", "dagster", "operation", "postgres")]
    assert server_process(folder) is None
    with SharedServers(folder, [server]), psycopg.connect(url) as connection:
        assert server.url("operation") == url
        assert connection.execute("SELECT name FROM brands").fetchone() == ("젠틀몬스터",)


def test_a_long_path_with_spaces_is_no_problem(fast_path: Path) -> None:
    folder = fast_path / "a folder 의 sandbox" / ("x" * 180)
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]), psycopg.connect(server.url("assets")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_two_users_share_one_server_and_the_last_one_ends_it(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    with another_user(folder) as other:
        url = url_of(other)
        with SharedServers(folder, [server]):
            shared = server_process(folder)
            assert server.url("assets") == url
            leave(other)
            assert server_process(folder) == shared
            psycopg.connect(url).close()
    assert server_process(folder) is None


def test_eight_users_that_start_at_once_share_one_server(folder: Path) -> None:
    def use(_: int) -> tuple[str, int]:
        server = EmbeddedPostgres(folder, durable=False)
        with SharedServers(folder, [server]), psycopg.connect(server.url("assets")) as connection:
            row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
            together.wait()
            assert row is not None
            return row[0], connection.info.port

    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(use, range(8)))) == 1
    assert server_process(folder) is None


def test_a_server_whose_user_was_killed_is_taken_over_and_then_ended(folder: Path) -> None:
    with another_user(folder) as other:
        url = url_of(other)
        psycopg.connect(url).close()
        other.kill()
        other.wait()
    left_over = server_process(folder)
    assert left_over is not None
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]):
        assert server_process(folder) == left_over
        psycopg.connect(url).close()
    assert server_process(folder) is None


def test_a_server_whose_user_was_killed_can_be_stopped_and_its_folder_deleted(folder: Path) -> None:
    with another_user(folder) as other:
        url_of(other)
        other.kill()
        other.wait()
    servers = SharedServers(folder, [EmbeddedPostgres(folder)])
    servers.stop()
    assert server_process(folder) is None
    servers.reset()
    assert not folder.exists()


def test_a_killed_server_is_started_again_with_all_that_was_committed(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with SharedServers(folder, [server]):
        with psycopg.connect(server.url("assets"), autocommit=True) as connection:
            connection.execute("CREATE TABLE paid (calls int)")
            connection.execute("INSERT INTO paid VALUES (7)")
            process = server_process(folder)
            assert process is not None
            process.kill()
        with (
            SharedServers(folder, [server]),
            psycopg.connect(server.url("assets")) as connection,
        ):
            assert connection.execute("SELECT calls FROM paid").fetchone() == (7,)


def test_a_server_that_ends_while_it_is_asked_is_started_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(folder)
    with SharedServers(folder, [server]):
        ending = server_process(folder)
        assert ending is not None

        def last_seen() -> psutil.Process:
            assert ending is not None
            monkeypatch.undo()
            ending.kill()
            return ending

        monkeypatch.setattr(server, "_process", last_seen)
        with SharedServers(folder, [server]), psycopg.connect(server.url("assets")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_down(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]):
        pass
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'postgres'}\n")
    with SharedServers(folder, [server]), psycopg.connect(server.url("assets")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_another_port_is_found_when_the_one_of_last_time_is_taken(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]):
        before = psycopg.conninfo.conninfo_to_dict(server.url("assets"))["port"]
    with (
        socket.create_server((processes.LOOPBACK, int(str(before)))),
        SharedServers(folder, [server]),
        psycopg.connect(server.url("assets")) as connection,
    ):
        assert connection.info.port != int(str(before))


def test_a_first_start_that_was_killed_half_way_starts_over(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, []):
        half = folder / "initdb-killed" / "data"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("16\n")
    with SharedServers(folder, [server]), psycopg.connect(server.url("assets")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_only_its_owner_gets_in(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    with SharedServers(folder, [server]):
        password = psycopg.conninfo.conninfo_to_dict(server.url("assets"))["password"]
        process = server_process(folder)
        assert process is not None
        assert str(password) not in " ".join(process.cmdline())
        assert {connection.laddr.ip for connection in process.net_connections("tcp")} == {"127.0.0.1"}
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url("assets"), password="guess")
    secret_files = [path for path in folder.iterdir() if path.is_file() and str(password) in path.read_text()]
    assert [path.name for path in secret_files] == ["state.json"]
    assert stat.S_IMODE(secret_files[0].stat().st_mode) == 0o600


def pythons_for(user: int) -> Iterator[str]:
    """Interpreters that `user` may run; the one of this run can lie in a folder that only we may enter."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        paths = os.pathsep.join(filter(None, sys.path))
        try:
            subprocess.run(
                [python, "-c", "import psycopg, psutil"], user=user, env={"PYTHONPATH": paths}, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        yield python


def test_it_runs_as_the_current_user_and_for_root_as_an_ordinary_user_too() -> None:
    me = os.geteuid()
    cases = [(me, sys.executable)]
    if me == 0:
        cases += [(NOBODY, python) for python in list(pythons_for(NOBODY))[:1]]
    for user, python in cases:
        # Not pytest's own temporary folder: that one is closed to other users.
        home = Path(tempfile.mkdtemp())
        os.chown(home, user, -1)
        options = {"user": user, "group": user, "extra_groups": []} if user != me else {}
        try:
            with another_user(home / "box", python, **options) as other:
                with psycopg.connect(url_of(other)) as connection:
                    assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
                assert (home / "box" / "postgres").stat().st_uid == user
                leave(other)
        finally:
            shutil.rmtree(home)


def test_root_without_user_namespaces_gets_a_message_with_what_to_do(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = fast_path / "bin" / "unshare"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigurationFailure, match="run the command as a normal user"):
        EmbeddedPostgres(fast_path).ensure(alone=True)
