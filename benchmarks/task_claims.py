"""What a claim, a page and the writes of a worker cost in a queue of 1,000,000 tasks.

    .venv/bin/python benchmarks/task_claims.py [--short]

Starts its own PostgreSQL (fsync on). A third of the tasks is due, a third waits, most of it at the highest priority,
and a third has ended. Claims go on until 10,000 tasks are taken, each under the share of the oldest; every task that is
taken is finished, so that the index has the remains of those before. Exits with 1 if a claim takes more of the
processor than the limit, which depends little on what else the machine does.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import psycopg
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline.shared.tasks.rules import NewTask, RetryPolicy, TaskQueue, TaskStatus
from entity_pipeline.shared.tasks.store import TaskStore
from entity_pipeline.shared.tasks.table import task_table

LIMIT_MS = 5.0
EVER = datetime.min.replace(tzinfo=UTC)
CLAIM = 10
NAMES = (
    f"claim of {CLAIM}",
    "claim of 1",
    "note a step",
    f"extend {CLAIM + 1}",
    "finish",
    "create 1,000",
    "recover, nothing lost",
    "page of 50",
    "page of 50, deep",
    "oldest due",
    "counts",
    f"claim of {CLAIM} made on a day",
    "claim of a day, none due",
    "open tasks by day",
    "which of 12 days are open",
)
STORE = TaskStore(TaskQueue("errands", ("fetch", "describe"), {"error": RetryPolicy([timedelta(minutes=5)])}))
# As a domain with partitions by day has it.
_OPEN_BY_DAY = "create index on errands (created_at) where status in ('pending', 'running')"
_FILL = """
insert into errands (task_type, task_key, status, priority, payload, attempts, max_attempts, created_at, next_retry_at,
  started_at, completed_at, outcome)
select case when n %% 10 = 0 then 'describe' else 'fetch' end, 'person:' || n,
  case n %% 3 when 2 then 'done' else 'pending' end,
  case n %% 3 when 1 then 1 + (n %% 50 = 0)::int else 1 + n %% 10 end,
  jsonb_build_object('username', 'name_' || n), 0, 4,
  now() - (1000000 - n) * interval '1 second',
  case n %% 3 when 1 then now() + interval '1 hour' + n * interval '1 ms' end,
  case n %% 3 when 2 then now() end, case n %% 3 when 2 then now() end, case n %% 3 when 2 then 'private' end
from generate_series(%s, %s) n
"""


class Times:
    """Milliseconds of one kind of call: on the wall, and of the processor, here and in the server."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self.taken: list[float] = []
        self.processor_s = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure a block."""
        processor, began = self._processor_s(), time.perf_counter()
        yield
        self.taken.append((time.perf_counter() - began) * 1_000)
        self.processor_s += self._processor_s() - processor

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """The processor's mean; and a tenth, half and 95 % of the calls took at most so long."""
        parts = quantiles(self.taken, n=20, method="inclusive")
        return self.processor_s * 1_000 / len(self.taken), parts[1], parts[9], parts[18]

    def _processor_s(self) -> float:
        """In the server counted in hundredths of a second, so only the sum over many calls means something."""
        server = self._server.cpu_times()
        return time.thread_time() + server.user + server.system


def measured(connection: psycopg.Connection[Any], claims: int) -> dict[str, Times]:
    """Each call of a worker and of the page, in the order of a life."""
    server = psutil.Process(connection.info.backend_pid)
    times = {name: Times(server) for name in NAMES}
    for nth in range(claims):
        with times[f"claim of {CLAIM}"].one():
            tasks = STORE.claim(connection, f"run-1/{nth}", CLAIM)
        with times["claim of 1"].one():
            tasks += STORE.claim(connection, f"run-2/{nth}", 1, ["describe"])
        assert len(tasks) == CLAIM + 1
        with times[f"extend {CLAIM + 1}"].one():
            STORE.extend(connection, tasks)
        for task in tasks:
            with times["note a step"].one():
                STORE.note_steps(connection, task, {"profile": True})
            with times["finish"].one():
                STORE.finish(connection, task)
    several(times["create 1,000"], 10, lambda nth: _create(connection, nth))
    several(times["recover, nothing lost"], 50, lambda _: STORE.recover(connection))
    several(times["page of 50"], 50, lambda _: STORE.page(connection, 50))
    pending = [TaskStatus.PENDING]
    several(times["page of 50, deep"], 50, lambda _: STORE.page(connection, 50, 2_000, pending, ["describe"]))
    several(times["oldest due"], 50, lambda _: STORE.oldest_due(connection))
    several(times["counts"], 5, lambda _: STORE.counts(connection))
    _measure_days(connection, times, claims // 5)
    return times


def _measure_days(connection: psycopg.Connection[Any], times: dict[str, Times], claims: int) -> None:
    """Runs over chosen days; every claimed task is finished. The table holds about twelve days."""
    row = connection.execute("select max(created_at) from errands where task_key like 'person:%%'").fetchone()
    assert row is not None
    until = row[0] - timedelta(hours=6)
    day = until - timedelta(days=1), until
    for nth in range(claims):
        with times[f"claim of {CLAIM} made on a day"].one():
            tasks = STORE.claim_made(connection, f"day/{nth}", CLAIM, day)
        for task in tasks:
            STORE.finish(connection, task)
    several(times["open tasks by day"], 5, lambda _: STORE.open_by_day(connection, (EVER, row[0])))
    days = [(until - timedelta(days=n + 1), until - timedelta(days=n)) for n in range(12)]
    several(times["which of 12 days are open"], 20, lambda _: STORE.with_open(connection, days))
    connection.execute(
        "update errands set next_retry_at = now() + interval '1 hour' "
        "where status = 'pending' and created_at >= %s and created_at < %s",
        day,
    )
    several(
        times["claim of a day, none due"], 10, lambda nth: STORE.claim_made(connection, f"none/{nth}", 1, day)
    )


def several(times: Times, count: int, action: Callable[[int], object]) -> None:
    """Measure an action so many times."""
    for nth in range(count):
        with times.one():
            action(nth)


def _create(connection: psycopg.Connection[Any], nth: int) -> None:
    tasks = [NewTask("fetch", f"new:{nth}:{n}", 3, {"username": f"new_{n}"}) for n in range(1_000)]
    STORE.create(connection, tasks)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="50,000 tasks and 100 claims")
    size, claims = (50_000, 100) if parser.parse_args().short else (1_000_000, 1_000)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder), databases=("assets",))
        with SharedServers(Path(folder), [postgres]):
            with psycopg.connect(
                postgres.url("assets"), autocommit=True, prepare_threshold=None
            ) as connection:
                connection.execute(task_table("errands").encode())
                connection.execute(_OPEN_BY_DAY)
                for first in range(1, size + 1, 50_000):
                    connection.execute(_FILL, [first, min(size, first + 49_999)])
                connection.execute("vacuum analyze errands")
                times = measured(connection, claims)
    table = Table(title=f"{size:,} tasks, ms; {described()}")
    for column in ("", "calls", "processor", "a tenth below", "half below", "95 % below"):
        table.add_column(column, justify="left" if not column else "right")
    for name, taken in times.items():
        table.add_row(name, f"{len(taken.taken):,}", *(f"{figure:.2f}" for figure in taken.figures))
    console.print(table)
    limited = (f"claim of {CLAIM}", f"claim of {CLAIM} made on a day")
    if any(times[name].figures[0] > LIMIT_MS for name in limited):
        sys.exit(1)


if __name__ == "__main__":
    main()
