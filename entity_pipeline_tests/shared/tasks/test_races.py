"""Eight processes on one queue, some of them late: no task done twice, none lost, the urgent ones first.

What the processes say they finished is the judge, with the results they stored. TASK_RACE=20000 asks for more tasks
than those of every day; the figures are printed with `-s`.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.tasks import task_racer
from entity_pipeline_tests.shared.tasks.errands import STORE, Connection, errand

PROCESSES = 8
LATE = "0.05"
TASKS = int(os.environ.get("TASK_RACE", "400"))


def race(url: str, seed: int) -> tuple[list[int], int]:
    """Every process until the queue is empty; returns what they finished, and how often they were refused."""
    with ExitStack() as stack:
        racers = []
        for number in range(PROCESSES):
            arguments = [url, f"process-{number}", str(seed), LATE]
            racer = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(Path(task_racer.__file__)), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                )
            )
            stack.callback(racer.kill)
            racers.append(racer)
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        said = [json.loads(racer.communicate(timeout=300 + TASKS)[0]) for racer in racers]
    return [id_ for words in said for id_ in words["finished"]], sum(words["refused"] for words in said)


def fill(connection: Connection, seed: int) -> list[int]:
    """Tasks of all priorities in a random order."""
    connection.execute("create table results (task bigint)")
    chance = random.Random(seed)
    tasks = [errand(f"name-{n}", chance.randint(1, 10)) for n in range(TASKS)]
    ids = []
    for first in range(0, TASKS, 1_000):
        ids += [created.id for created in STORE.create(connection, tasks[first : first + 1_000])]
    return ids


@pytest.mark.timeout(120 + TASKS)
def test_of_late_and_doubled_workers_each_task_is_done_by_one(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    ids = fill(queue, seed)
    # Waits of minutes would make the race long: what was put back is due at once.
    queue.execute("alter table errands alter column due_at drop expression")
    queue.execute("alter table errands alter column due_at set default clock_timestamp()")
    began = time.monotonic()
    finished, refused = race(queue_db.url, seed)
    assert sorted(finished) == sorted(ids), f"seed {seed}"
    rows = queue.execute(
        "select id, status, losses, fence, (steps ->> 'stored')::int from errands"
    ).fetchall()
    assert {row[1] for row in rows} == {"done"}
    stored = Counter(row[0] for row in queue.execute("select task from results"))
    assert stored.keys() == set(ids)
    sys.stdout.write(
        f"\n{PROCESSES} processes, {TASKS} tasks, {sum(row[2] for row in rows)} leases ran out, "
        f"{sum(row[3] for row in rows)} claims, {refused} writes refused, {time.monotonic() - began:.1f} s\n"
    )
    assert sum(row[2] for row in rows) > 0
    assert refused > 0


def test_workers_in_a_race_take_the_urgent_ones_first(queue_db: ClonedDatabase, queue: Connection) -> None:
    fill(queue, 1)
    together = threading.Barrier(PROCESSES)
    claims: list[tuple[float, float, list[int]]] = []

    def work(number: int) -> None:
        with queue_db.connection() as connection:
            together.wait()
            for n in range(TASKS):
                began = time.monotonic()
                tasks = STORE.claim(connection, f"{number}-{n}", 5)
                claims.append((began, time.monotonic(), [task.priority for task in tasks]))
                if not tasks:
                    break

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(work, range(PROCESSES)))
    assert sum(len(taken) for *_, taken in claims) == TASKS
    for began, _, taken in claims:
        earlier = [priority for _, ended, before in claims if ended < began for priority in before]
        assert not taken or min(taken) >= max(earlier, default=0)
