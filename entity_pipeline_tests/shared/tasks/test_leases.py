"""The leases of a run: extended while it works, lost to others, given back when it is stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.shared.tasks.leases import Leases
from entity_pipeline.shared.tasks.rules import TaskStatus
from entity_pipeline.shared.tasks.store import TaskStore
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.tasks import stopped_run
from entity_pipeline_tests.shared.tasks.errands import (
    QUEUE,
    STORE,
    Connection,
    claimed,
    keys,
    lapse,
    now,
    one,
    put,
)

SHORT = TaskStore(replace(QUEUE, lease=timedelta(seconds=0.4)))


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_work_that_takes_longer_than_a_lease_keeps_its_task(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada")
    [task] = SHORT.claim(queue, "a", 1)
    with Leases(SHORT, queue_db, [task]) as leases, leases.work_on(task) as lost:
        lease = task.lease_until
        assert lease is not None
        eventually(lambda: (now(queue, task.id).lease_until or lease) > lease + timedelta(seconds=1))
        assert not lost.is_set()
        assert STORE.finish(queue, task)


def test_a_task_that_waits_for_its_turn_keeps_its_lease_too(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada", "bea")
    tasks = SHORT.claim(queue, "a", 2)
    lease = tasks[1].lease_until
    assert lease is not None
    with Leases(SHORT, queue_db, tasks):
        eventually(lambda: (now(queue, tasks[1].id).lease_until or lease) > lease + timedelta(seconds=1))


def test_work_hears_that_its_task_is_lost_to_another_worker(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada", "bea")
    ada, bea = SHORT.claim(queue, "a", 2)
    with Leases(SHORT, queue_db, [ada, bea]) as leases:
        with leases.work_on(ada) as ada_lost, leases.work_on(bea) as bea_lost:
            eventually(lambda: bool(lapse(queue, ada.id) or STORE.recover(queue)))
            one(queue, "another")
            assert ada_lost.wait(20)
            assert not bea_lost.is_set()
    assert now(queue, ada.id).lease_owner == "another"


def test_after_the_work_nothing_is_extended_any_more(queue_db: ClonedDatabase, queue: Connection) -> None:
    put(queue, "ada")
    [task] = SHORT.claim(queue, "a", 1)
    SHORT.begin(queue, [task])
    with pytest.raises(ValueError, match="broken"), Leases(SHORT, queue_db, [task]) as leases:
        with leases.work_on(task):
            raise ValueError("broken")
    eventually(lambda: keys(STORE.recover(queue)) == ["ada"])
    assert now(queue, task.id).losses == 1


def test_what_was_never_begun_is_due_at_once_and_is_no_attempt(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada", "bea")
    ada, bea = claimed(queue, "a", 2)
    with Leases(STORE, queue_db, [ada, bea]) as leases, leases.work_on(ada):
        STORE.finish(queue, ada)
    assert now(queue, ada.id).status is TaskStatus.DONE
    assert [(task.task_key, task.attempts, task.losses) for task in claimed(queue, "b", 2)] == [("bea", 1, 0)]


class DatabaseThatIsAway:
    """Away as often as asked, then there."""

    def __init__(self, database: ClonedDatabase, times: int) -> None:
        self._database = database
        self.times = times

    @contextmanager
    def connection(self) -> Iterator[Any]:
        if self.times:
            self.times -= 1
            raise DatabaseUnavailable("The database is away.")
        with self._database.connection() as connection:
            yield connection


def test_leases_live_through_a_short_outage(queue_db: ClonedDatabase, queue: Connection) -> None:
    put(queue, "ada")
    [task] = SHORT.claim(queue, "a", 1)
    away = DatabaseThatIsAway(queue_db, times=2)
    lease = task.lease_until
    assert lease is not None
    with Leases(SHORT, away, [task]) as leases, leases.work_on(task) as lost:
        eventually(lambda: (now(queue, task.id).lease_until or lease) > lease + timedelta(seconds=1))
        assert not lost.is_set()
    assert away.times == 0


@pytest.mark.timeout(120)
def test_a_run_that_is_stopped_gives_back_what_it_has_not_begun(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, stopped_run.RELEASES, stopped_run.HANGS, "ada", "bea")
    with subprocess.Popen(
        [sys.executable, str(Path(stopped_run.__file__)), queue_db.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as run:
        assert run.stdout is not None
        assert [run.stdout.readline(), run.stdout.readline()] == ["working\n"] * 2
        run.send_signal(signal.SIGTERM)
        _, errors = run.communicate(timeout=60)
    assert "1 tasks in progress were finished, 1 got no answer" in errors
    tasks = {task.task_key: task for task in STORE.page(queue, 10)}
    hangs = tasks.pop(stopped_run.HANGS)
    assert (hangs.status, hangs.attempts, hangs.lease_owner) == (TaskStatus.RUNNING, 1, "the run")
    assert {(task.status, task.attempts) for task in tasks.values()} == {(TaskStatus.PENDING, 0)}
    assert sorted(keys(claimed(queue, "the next run", 9))) == sorted(tasks)


def test_a_signal_while_the_leases_begin_gives_everything_back(
    queue_db: ClonedDatabase, queue: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    put(queue, "ada", "bea")
    tasks = claimed(queue, "a", 2)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), Leases(STORE, queue_db, tasks):
        pytest.fail("it has begun")
    assert {(task.status, task.attempts) for task in (now(queue, one.id) for one in tasks)} == {
        (TaskStatus.PENDING, 0)
    }
