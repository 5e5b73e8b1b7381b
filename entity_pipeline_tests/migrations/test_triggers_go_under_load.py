"""`migrate` takes the triggers of the first release off `instagram_accounts` while applications write to it.

20,000 accounts; ACCOUNTS=1000000 takes more, and ``-s`` prints how long the writers waited.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest

from entity_pipeline.domains.entities.accounts.enrichment_queue import compare, sweep
from entity_pipeline.migrations import migrate
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.former_release import later_names, migrate_as_first_release
from entity_pipeline_tests.migrations.older_installation import older_installation

ACCOUNTS = int(os.environ.get("ACCOUNTS", "20000"))
# 100 ms behind the migration's request for its lock, and the rest for a busy machine.
PATIENCE = "3s"

_FILL = """
insert into instagram_accounts (username, metadata, created_at)
select 'load_' || n, jsonb_build_object('entity_enrichment', jsonb_build_object('cohort', '2026-11-01',
  'tagging', jsonb_build_object('posts', n %% 100))), '2026-11-01'
from generate_series(%s::int, %s::int) n
"""
_TOUCH = "create function touch() returns trigger language plpgsql as 'begin new.updated_at := now(); return new; end'"
_TOUCHES = "create trigger touch before update on instagram_accounts for each row execute function touch()"
_BUMP = "update instagram_accounts set bio = coalesce(bio, '') || '+' where username = 'load_' || %s"
_BUMP_MANY = """
update instagram_accounts set bio = coalesce(bio, '') || '+'
where username in (select 'load_' || n from generate_series(%s::int, %s::int) n)
"""
_BUMPS = "select sum(length(bio)) from instagram_accounts where username like 'load\\_%'"
# What the first release asks before it looks at its list, and the look; without a list it asks the accounts.
_OF_FIRST_RELEASE = (
    """
    select coalesce(has_table_privilege(to_regclass('public.enrichment_queue'), 'select'), false)
      and coalesce((select count(*) >= 2 and bool_and(tgenabled in ('O', 'A')) from pg_trigger where tgname
        like 'entity\\_pipeline\\_queue\\_%' and tgrelid = to_regclass('public.instagram_accounts')), false)
    """,
    "select cohort, posts from enrichment_queue where state = 'pending' order by (-posts), handle, account_id limit 50",
    "select count(*) from instagram_accounts where is_active",
)


@dataclass
class Writer:
    """Another application: it `wrote` so many rows; each statement took so many seconds."""

    wrote: int = 0
    took: list[float] = field(default_factory=list)

    def work(self, url: str, stop: threading.Event, one: Callable[[psycopg.Connection], int]) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            connection.execute(f"set lock_timeout = '{PATIENCE}'")
            while not stop.is_set():
                began = time.monotonic()
                self.wrote += one(connection)
                self.took.append(time.monotonic() - began)


def one_row(connection: psycopg.Connection) -> int:
    return connection.execute(_BUMP, [str(random.randrange(1, ACCOUNTS))]).rowcount


def two_thousand_rows(connection: psycopg.Connection) -> int:
    first = random.randrange(1, ACCOUNTS - 2_000)
    return connection.execute(_BUMP_MANY, [first, first + 1_999]).rowcount


def a_slow_transaction(connection: psycopg.Connection) -> int:
    """An editor that holds its lock for half a second, again and again."""
    with connection.transaction():
        wrote = one_row(connection)
        time.sleep(0.5)
    time.sleep(0.05)
    return wrote


def tick_of_the_first_release(connection: psycopg.Connection) -> int:
    """A process that was started before; it may or may not find the list, and may run in between."""
    is_listed, from_list, from_accounts = _OF_FIRST_RELEASE
    try:
        listed = connection.execute(is_listed.encode()).fetchone() == (True,)
        connection.execute((from_list if listed else from_accounts).encode()).fetchall()
    except psycopg.errors.UndefinedTable:
        return 0  # its next tick asks again
    time.sleep(0.05)
    return 0


@pytest.fixture
def installed(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    """The first release with many accounts, and an application's trigger for updated_at."""
    with older_installation(database_server) as urls:
        for url, database in zip(urls, ("assets", "operation"), strict=True):
            assert migrate_as_first_release(url, database) == ""  # type: ignore[arg-type]
        with psycopg.connect(urls[1], autocommit=True) as operation:
            for begin in range(1, ACCOUNTS + 1, 20_000):
                operation.execute(_FILL, [begin, min(begin + 19_999, ACCOUNTS)])
            operation.execute(_TOUCH)
            operation.execute(_TOUCHES)
            operation.execute("vacuum analyze")
        yield urls


@contextmanager
def load(url: str) -> Iterator[dict[str, Writer]]:
    """Run applications until the end of the block; raises the failure of any of them."""
    stop = threading.Event()
    ways = (one_row, one_row, two_thousand_rows, a_slow_transaction, tick_of_the_first_release)
    writers = {f"{way.__name__} {nth}": Writer() for nth, way in enumerate(ways)}
    with ThreadPoolExecutor(len(ways)) as pool:
        jobs = [
            pool.submit(writer.work, url, stop, way)
            for writer, way in zip(writers.values(), ways, strict=True)
        ]
        try:
            yield writers
        finally:
            stop.set()
        for job in jobs:
            job.result()


@pytest.mark.timeout(900)
def test_no_row_is_lost_and_no_writer_waits_long_while_the_triggers_go(installed: tuple[str, str]) -> None:
    said: list[str] = []
    with load(installed[1]) as writers:
        time.sleep(0.5)
        began = time.monotonic()
        applied = migrate(*installed, say=said.append)
        took_s = time.monotonic() - began
        time.sleep(0.2)
    assert applied == later_names()
    for name, writer in writers.items():
        waits = sorted(writer.took)
        sys.stdout.write(
            f"\n{name}: {len(waits):,} statements, median {waits[len(waits) // 2] * 1e3:.1f} ms, "
            f"longest {waits[-1] * 1e3:.0f} ms"
        )
    sys.stdout.write(f"\nmigrate took {took_s:.1f} s with {ACCOUNTS:,} accounts; it said {said}\n")
    with (
        psycopg.connect(installed[0], autocommit=True) as assets,
        psycopg.connect(installed[1], autocommit=True) as operation,
    ):
        assert operation.execute(_BUMPS).fetchone() == (sum(writer.wrote for writer in writers.values()),)
        left = operation.execute("select tgname from pg_trigger where not tgisinternal").fetchall()
        assert left == [("touch",)]
        sweep(operation, assets, give_up_at=time.monotonic() + 600)
        listed = assets.execute("select count(*) from enrichment_queue").fetchone()
        there = operation.execute("select count(*) from instagram_accounts").fetchone()
        assert listed == there
        report = compare(operation, assets, give_up_at=time.monotonic() + 600)
        assert (report.corrected, report.removed, report.is_finished) == (0, 0, True)
