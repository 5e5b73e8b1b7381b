"""One process of the races: it works until no task is left, sometimes too slowly, and says what it finished.

Arguments: database URL, a name, a seed, and how often it is late: then it sleeps beyond its lease and writes all the
same. Answers with one line of JSON: the tasks that it was allowed to finish, and how often it was refused.
"""

import json
import random
import sys
import time
from dataclasses import replace
from datetime import timedelta

import psycopg

from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline.shared.tasks.store import TaskStore
from entity_pipeline_tests.shared.tasks.errands import OTHER, QUEUE, Connection

LEASE_S = 0.25
STORE = TaskStore(replace(QUEUE, lease=timedelta(seconds=LEASE_S), most_losses=1_000_000), draw=lambda: 0.0)


def work(connection: Connection, task: Task, chance: random.Random, lateness: float) -> bool | None:
    """Store a result and finish; whether that was allowed, None if the task was given back instead."""
    STORE.begin(connection, [task])
    if chance.random() < lateness:
        time.sleep(LEASE_S * chance.uniform(0.9, 2))
    fate = chance.random()
    if fate < lateness:
        STORE.release(connection, [task])
        return None
    if fate < 2 * lateness and task.attempts < 3:
        STORE.fail(connection, task, OTHER, "by chance")
        return None
    with connection.transaction():
        if STORE.note_steps(connection, task, {"stored": task.fence}):
            connection.execute("insert into results values (%s)", [task.id])
    return STORE.finish(connection, task)


def main(url: str, name: str, seed: int, lateness: float) -> None:
    chance = random.Random(f"{seed} {name}")
    finished: list[int] = []
    refused = claims = idle = 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        while idle < 3:
            claims += 1
            tasks = STORE.claim(connection, f"{name}/{claims}", chance.randint(1, 5))
            for task in tasks:
                allowed = work(connection, task, chance, lateness)
                finished += [task.id] if allowed else []
                refused += allowed is False
            if not tasks or not claims % 5:
                STORE.recover(connection)
            if not tasks:
                counts = STORE.counts(connection)
                idle += all(count.status in ("done", "failed") for count in counts)
                time.sleep(0.02)
    sys.stdout.write(json.dumps({"finished": finished, "refused": refused}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
