"""A process that works on the queue until no task is left, as runs would: with real requests, and short leases.

Arguments: database URL, the stand-in's URL, the key of its sessions, a name. Says "ready", waits
for a line on standard input, and says "working" with each task. SIGTERM stops it as it stops a run.
"""

import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType

from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.queue.handlers import HANDLERS
from entity_pipeline.domains.influencers.queue.run import QueueRun
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import Task

LEASE_S = 2.0
QUICK = replace(
    STORE,
    queue=replace(STORE.queue, lease=timedelta(seconds=LEASE_S), most_losses=1_000_000),
    draw=lambda: 0.0,
)


def said(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def begun(task: Task, work: Work) -> Done | Stopped:
    """Say that a task has begun, and work on it."""
    said("working")
    return HANDLERS[task.task_type](task, work)


def main(url: str, standin: str, key: str, name: str) -> None:
    with open_database(url, max_connections=4) as database:
        access = InstagramResource(base_url=standin, session_keys=key, assets_db=database)
        run = QueueRun(
            name,
            database,
            SettingsStore(assets_db=database, operation_db=database),
            access.session(KEY),
            datetime.now(UTC) + timedelta(minutes=5),
            store=QUICK,
            handlers=dict.fromkeys(HANDLERS, begun),
        )
        said("ready")
        sys.stdin.readline()
        signal.signal(signal.SIGTERM, interrupted)
        while True:
            report = run.once(partial(QUICK.claim, types=list(HANDLERS)))
            with database.connection() as connection:
                QUICK.recover(connection)
                open_ = [one for one in QUICK.counts(connection) if one.status in ("pending", "running")]
            if not open_:
                return
            if not report.claimed:
                time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:5])
