"""Who starts, who stops and what may be deleted; two `SharedServers` of one process are two users."""

import os
import threading
from pathlib import Path

import pytest

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.sandbox.ownership import MARKER, SharedServers


class FakeServer:
    """Records its calls; `failure` is raised by `ensure`; `stop` waits for `may_stop`."""

    def __init__(self, *, failure: Exception | None = None, may_stop: threading.Event | None = None) -> None:
        self._failure = failure
        self._may_stop = may_stop
        self.calls: list[str] = []

    def ensure(self, *, alone: bool) -> None:
        self.calls.append("ensure alone" if alone else "ensure")
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        self.calls.append("stop")
        if self._may_stop:
            assert self._may_stop.wait(10)


def test_the_first_user_starts_and_the_last_one_stops(tmp_path: Path) -> None:
    server = FakeServer()
    first, second = (SharedServers(tmp_path / "box", [server]) for _ in range(2))
    first.start()
    second.start()
    first.stop()
    assert server.calls == ["ensure alone", "ensure"]
    second.stop()
    assert server.calls == ["ensure alone", "ensure", "stop"]


def test_starting_twice_and_stopping_twice_is_harmless(tmp_path: Path) -> None:
    server = FakeServer()
    servers = SharedServers(tmp_path / "box", [server])
    servers.start()
    servers.start()
    servers.stop()
    assert server.calls == ["ensure alone", "stop"]
    servers.stop()
    assert server.calls == ["ensure alone", "stop", "stop"]


def test_servers_stop_in_the_reverse_order(tmp_path: Path) -> None:
    order: list[str] = []

    class Named(FakeServer):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def stop(self) -> None:
            order.append(self._name)

    with SharedServers(tmp_path / "box", [Named("postgres"), Named("stand-ins")]):
        assert order == []
    assert order == ["stand-ins", "postgres"]


def test_a_failed_start_stops_what_runs_and_blocks_no_other_user(tmp_path: Path) -> None:
    good, bad = FakeServer(), FakeServer(failure=ConfigurationFailure("no room"))
    with pytest.raises(ConfigurationFailure, match="no room"):
        SharedServers(tmp_path / "box", [good, bad]).start()
    assert good.calls == ["ensure alone", "stop"]
    with SharedServers(tmp_path / "box", [good]):
        assert good.calls[-1] == "ensure alone"


def test_a_failed_start_leaves_the_servers_of_others_alone(tmp_path: Path) -> None:
    good, bad = FakeServer(), FakeServer(failure=ConfigurationFailure("no room"))
    with SharedServers(tmp_path / "box", [good]):
        with pytest.raises(ConfigurationFailure):
            SharedServers(tmp_path / "box", [good, bad]).start()
        assert "stop" not in good.calls


def test_any_process_can_stop_an_unused_server(tmp_path: Path) -> None:
    with SharedServers(tmp_path / "box", [FakeServer()]):
        pass
    left_over = FakeServer()
    SharedServers(tmp_path / "box", [left_over]).stop()
    assert left_over.calls == ["stop"]


def test_stopping_a_folder_that_is_not_a_sandbox_creates_none(tmp_path: Path) -> None:
    server = FakeServer()
    SharedServers(tmp_path / "box", [server]).stop()
    assert server.calls == []
    assert not (tmp_path / "box").exists()


def test_a_folder_with_other_things_in_it_is_neither_used_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    servers = SharedServers(tmp_path, [FakeServer()])
    with pytest.raises(InputRejected, match="not empty"):
        servers.start()
    with pytest.raises(InputRejected, match="nothing was deleted"):
        servers.reset()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_reset_deletes_everything_but_what_a_link_points_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    box = tmp_path / "box"
    servers = SharedServers(box, [FakeServer()])
    servers.start()
    (box / "data").mkdir()
    (box / "data" / "table").write_text("rows")
    (box / "link").symlink_to(precious)
    servers.reset()
    assert not box.exists()
    assert (precious / "file").read_text() == "kept"
    servers.reset()


def test_a_reset_is_refused_while_another_user_is_there(tmp_path: Path) -> None:
    server = FakeServer()
    with SharedServers(tmp_path / "box", [server]):
        with pytest.raises(InputRejected, match="in use"):
            SharedServers(tmp_path / "box", [server]).reset()
        assert "stop" not in server.calls
        assert (tmp_path / "box" / MARKER).exists()


def test_a_start_that_waited_for_a_reset_gets_a_new_folder(tmp_path: Path) -> None:
    may_stop = threading.Event()
    slow, fresh = FakeServer(may_stop=may_stop), FakeServer()
    old = SharedServers(tmp_path / "box", [slow])
    old.start()
    new = SharedServers(tmp_path / "box", [fresh])
    reset, start = threading.Thread(target=old.reset), threading.Thread(target=new.start)
    reset.start()
    while "stop" not in slow.calls:
        reset.join(0.01)
    start.start()
    start.join(0.1)
    assert fresh.calls == []
    may_stop.set()
    reset.join()
    start.join()
    assert fresh.calls == ["ensure alone"]
    assert (tmp_path / "box" / MARKER).exists()
    with pytest.raises(InputRejected, match="in use"):
        old.reset()
    new.stop()


def test_the_folder_of_another_person_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(ConfigurationFailure, match="you are user 4242"):
        SharedServers(tmp_path / "box", [FakeServer()]).start()


def test_a_folder_that_cannot_be_created_is_reported_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationFailure, match="choose another folder"):
        SharedServers(tmp_path / "file" / "box", [FakeServer()]).start()
