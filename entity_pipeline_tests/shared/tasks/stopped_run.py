"""A run that is stopped by SIGTERM while it works on two tasks, of which one never ends; two more are not begun.

Argument: the database URL. Says "working" when a task has begun.
"""

import signal
import sys
from collections.abc import Callable
from functools import partial
from threading import Event
from types import FrameType

from entity_pipeline.resources.postgres import open_database
from entity_pipeline.shared.runs import workers as module
from entity_pipeline.shared.runs.workers import Done, Result, Stopped, Words, Workers
from entity_pipeline.shared.tasks.leases import Leases
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.shared.tasks.errands import STORE

HANGS, RELEASES = "hangs", "releases"


def main(url: str) -> None:
    stop = Event()
    module.STOP_WITHIN_S = 1.0

    def interrupted(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)

    def work(leases: Leases, task: Task) -> Result:
        with leases.work_on(task):
            sys.stdout.write("working\n")
            sys.stdout.flush()
            if task.task_key == RELEASES:
                stop.wait()
                with database.connection() as connection:
                    STORE.release(connection, [task])
                return Stopped("The run is stopping.")
            Event().wait()
        return Done("never")

    with open_database(url) as database:
        with database.connection() as connection:
            tasks = STORE.claim(connection, "the run", 4)
        with Leases(STORE, database, tasks) as leases:
            jobs: list[Callable[[], Result]] = [partial(work, leases, task) for task in tasks]
            Workers(stop, 2, Words("tasks", "nothing", "go on later")).work_through(jobs)


if __name__ == "__main__":
    main(sys.argv[1])
