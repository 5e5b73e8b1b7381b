"""SIGKILL before and after every statement of a task's life, then further runs until nothing is left.

Each run of the tests takes a few of the points, another few each time; all with NIGHTLY.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entity_pipeline.shared.tasks.rules import TaskStatus
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.reliability.kill_wire import PHASES, Phase, PostgresWire, Watch
from entity_pipeline_tests.shared.tasks import kill_child
from entity_pipeline_tests.shared.tasks.errands import STORE, Connection, lapse, wake
from entity_pipeline_tests.shared.tasks.kill_child import DESCRIBED, FETCHED, STEPS

SAMPLE = 6
Run = Callable[[Watch], int]


@pytest.fixture
def run(queue_db: ClonedDatabase, queue: Connection) -> Run:
    """Runs the child under a watch and waits until the server has noticed its end; negative for a signal."""
    queue.execute("create table results (task text, step text)")
    queue.execute("create table paid_jobs (name text, tasks integer)")

    def run_(watch: Watch) -> int:
        with (
            PostgresWire("assets", queue_db.url, lambda: watch) as wire,
            subprocess.Popen(
                [sys.executable, str(Path(kill_child.__file__)), wire.url, str(random.random())],
                stdin=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            ) as process,
        ):
            watch.watch(process.pid)
            process.communicate("go\n", timeout=60)
        while queue.execute(
            "select from pg_stat_activity where datname = current_database() and state <> 'idle' "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).rowcount:
            pass
        return process.returncode

    return run_


def to_the_end(queue: Connection, run: Run) -> int:
    """What a schedule would do: recover what was lost, and run again until every task has ended."""
    for nth in range(8):
        lapse(queue)
        wake(queue)
        STORE.recover(queue)
        assert run(Watch()) == 0
        counts = STORE.counts(queue)
        if all(count.status is TaskStatus.DONE for count in counts):
            return nth
    raise AssertionError(counts)


def faults(queue: Connection) -> list[str]:
    """What is wrong when all has ended."""
    expected = [(key, step) for key in FETCHED for step in STEPS] + [(key, "described") for key in DESCRIBED]
    results = queue.execute("select task, step from results").fetchall()
    found = [] if sorted(results) == sorted(expected) else [f"results: {results}"]
    paid = queue.execute("select tasks from paid_jobs").fetchall()
    found += [] if paid == [(len(DESCRIBED),)] else [f"paid jobs: {paid}"]
    tasks = STORE.page(queue, 100)
    found += [f"{task.task_key} lost its worker {task.losses} times" for task in tasks if task.losses > 1]
    found += [
        f"{task.task_key} took {task.attempts} attempts"
        for task in tasks
        if task.attempts > (2 if task.task_key == "flaky" else 1)
    ]
    return found


def start_again(queue: Connection) -> None:
    queue.execute("truncate errands, results, paid_jobs")


def attack(queue: Connection, run: Run, points: list[tuple[int, Phase]]) -> list[str]:
    wrong = []
    for number, phase in points:
        start_again(queue)
        watch = Watch(number, phase)
        assert run(watch) == -9
        to_the_end(queue, run)
        wrong += [f"{phase} {number} ({watch.points[number][:60]}): {fault}" for fault in faults(queue)]
    return wrong


def undisturbed(queue: Connection, run: Run) -> int:
    """How many statements a run has that nothing disturbs; its tasks end as they should."""
    watch = Watch()
    assert run(watch) == 0
    to_the_end(queue, run)
    assert faults(queue) == []
    return len(watch.points)


@pytest.mark.timeout(300)
def test_a_kill_at_a_few_points_loses_no_task_and_does_none_twice(queue: Connection, run: Run) -> None:
    points = [(number, phase) for number in range(undisturbed(queue, run)) for phase in PHASES]
    assert attack(queue, run, random.sample(points, SAMPLE)) == []


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_a_kill_at_any_point_loses_no_task_and_does_none_twice(queue: Connection, run: Run) -> None:
    points = [(number, phase) for number in range(undisturbed(queue, run)) for phase in PHASES]
    assert attack(queue, run, points) == []
    sys.stdout.write(f"\n{len(points)} kills\n")
