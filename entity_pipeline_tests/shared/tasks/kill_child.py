"""The process that the kills hit: it takes every task through its life, as a domain's run would.

Arguments: database URL through the wire, and a name. It waits for a line on standard input before its first statement.
Tasks `fetch` have two steps with a result each; the first attempt at `flaky` fails. Tasks `describe` go to an outside
service as one job, which is a table here: a job that was created is paid.
"""

import hashlib
import sys

import psycopg

from entity_pipeline_tests.shared.tasks.errands import OTHER, STORE, Connection, errand

FETCHED = ("flaky", "steady")
DESCRIBED = ("ada", "bea")
STEPS = ("profile", "posts")


def fetch(connection: Connection, name: str) -> bool:
    """One task of the first kind; False when there is none."""
    tasks = STORE.claim(connection, f"{name}/fetch", 1, ["fetch"])
    for task in tasks:
        for step in STEPS:
            if step in task.steps:
                continue
            with connection.transaction():
                if not STORE.note_steps(connection, task, {step: True}):
                    return True
                connection.execute("insert into results values (%s, %s)", [task.task_key, step])
            STORE.extend(connection, [task])
            if task.task_key == "flaky" and not task.error_message:
                STORE.fail(connection, task, OTHER, "no answer")
                return True
        STORE.finish(connection, task)
    return bool(tasks)


def submit(connection: Connection, name: str) -> None:
    """Put all tasks that wait into one outside job, whose name is made of them."""
    tasks = STORE.claim(connection, f"{name}/describe", 10, ["describe"])
    if tasks:
        content = ",".join(sorted(f"{task.task_key}:{task.attempts}" for task in tasks))
        STORE.wait_for_batch(connection, tasks, hashlib.sha256(content.encode()).hexdigest()[:12])


def collect(connection: Connection, name: str) -> None:
    """Create the jobs that tasks wait for, unless they are found by their name; then end the tasks by them."""
    for batch in STORE.batches(connection):
        found = connection.execute("select from paid_jobs where name = %s", [batch.batch_key]).rowcount
        if not found:
            connection.execute("insert into paid_jobs values (%s, %s)", [batch.batch_key, batch.tasks])
        for task in STORE.take_back(connection, f"{name}/{batch.batch_key}", batch.batch_key, 10):
            with connection.transaction():
                if STORE.note_steps(connection, task, {"described": True}):
                    connection.execute("insert into results values (%s, 'described')", [task.task_key])
                    STORE.finish(connection, task)


def main(url: str, name: str) -> None:
    sys.stdin.readline()
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        # What has ended is not wanted again.
        known = {row[0] for row in connection.execute("select task_key from errands")}
        STORE.create(connection, [errand(key) for key in FETCHED if key not in known])
        STORE.create(connection, [errand(key, task_type="describe") for key in DESCRIBED if key not in known])
        while fetch(connection, name):
            pass
        submit(connection, name)
        collect(connection, name)
        STORE.recover(connection)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
