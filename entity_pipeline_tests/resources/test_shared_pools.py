"""One pool per address in a process: who shares it, how long it lives, and that no thread waits for itself."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import psycopg
import pytest

from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources import shared_pools
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PooledDatabase, PostgresResource, open_database
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer

FORK = """
import os, sys
from entity_pipeline.resources.postgres import open_database
def backend(database):
    with database.connection() as connection:
        return connection.execute("select pg_backend_pid()").fetchone()[0]
with open_database(sys.argv[1]) as database:
    parents = backend(database)
    child = os.fork()
    if not child:
        os._exit(backend(database) == parents)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child used its parent's connection"
    assert backend(database) == parents, "the child ended its parent's connection"
"""


@pytest.fixture
def url(database_server: DatabaseServer) -> Iterator[str]:
    with database_server.empty() as url:
        yield url


def connections(url: str) -> Counter[str]:
    """The connections of a database by the name they were opened under."""
    with psycopg.connect(url, application_name="observer") as observer:
        rows = observer.execute(
            "select application_name, count(*)::int from pg_stat_activity"
            " where datname = current_database() and application_name <> 'observer' group by 1"
        ).fetchall()
    return Counter(dict(rows))


def wait_for(url: str, expected: dict[str, int]) -> None:
    """Wait for the condition, since a closed connection is visible for a moment longer."""
    deadline = time.monotonic() + 5
    while connections(url) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert connections(url) == expected


def backend(database: PooledDatabase) -> int:
    with database.connection() as connection:
        return connection.info.backend_pid


def test_users_of_one_address_share_connections_until_the_last_one_leaves(url: str) -> None:
    with open_database(url, application_name="a") as one:
        with open_database(url.replace("postgresql:", "postgresql+psycopg2:"), application_name="a") as other:
            assert backend(one) == backend(other)
            wait_for(url, {"a": 1})
        assert backend(one)
        wait_for(url, {"a": 1})
    wait_for(url, {})


def test_the_resources_of_a_process_share_one_connection_per_database(
    assets_db: ClonedDatabase,
) -> None:
    assets = PostgresResource(url=assets_db.url, application_name="shared")
    resources = {
        "assets_db": assets,
        "settings": SettingsStore(assets_db=assets, operation_db=assets),
        "gemini": GeminiResource(assets_db=assets, api_key="any"),
    }
    with dg.build_resources(resources) as built:
        built.settings.row(EntitySettings)
        built.gemini.sweep()
        with built.assets_db.connection() as connection:
            connection.execute("select 1")
        wait_for(assets_db.url, {"shared": 1})
    wait_for(assets_db.url, {})


def test_another_name_is_another_pool_because_a_connection_keeps_its_name(url: str) -> None:
    with open_database(url, application_name="a") as one, open_database(url, application_name="b") as other:
        assert backend(one) != backend(other)
        wait_for(url, {"a": 1, "b": 1})


def at_once(database: PooledDatabase, threads: int) -> int:
    """How many different connections as many threads get when all of them ask at once."""
    together = threading.Barrier(threads)

    def hold(_: int) -> int:
        together.wait()
        with database.connection() as connection:
            connection.execute("select pg_sleep(0.05)")
            return connection.info.backend_pid

    with ThreadPoolExecutor(threads) as executor:
        return len(set(executor.map(hold, range(threads))))


def test_the_pool_is_as_wide_as_its_most_demanding_user_asks_for(url: str) -> None:
    with open_database(url, max_connections=1) as narrow:
        assert at_once(narrow, 6) == 1
        with open_database(url, max_connections=3) as wide:
            assert backend(wide)
            assert at_once(narrow, 6) == 3


def test_the_pool_narrows_when_its_most_demanding_user_leaves(url: str) -> None:
    with open_database(url, max_connections=1) as narrow:
        with open_database(url, max_connections=3) as wide:
            assert backend(wide)
            assert backend(narrow)
        assert at_once(narrow, 6) == 1


def test_threads_that_all_hold_one_connection_and_need_another_all_get_it(url: str) -> None:
    threads = 3
    together = threading.Barrier(threads, timeout=20)
    with open_database(url, max_connections=threads, application_name="a") as database:

        def two_at_once(_: int) -> int:
            with database.connection() as reader:
                together.wait()
                with database.connection() as writer:
                    together.wait()
                    return len({reader.info.backend_pid, writer.info.backend_pid})

        started = time.monotonic()
        with ThreadPoolExecutor(threads) as executor:
            assert list(executor.map(two_at_once, range(threads))) == [2] * threads
        assert time.monotonic() - started < 10
        wait_for(url, {"a": threads})


def test_a_thread_alone_with_the_only_connection_gets_a_second_one(url: str) -> None:
    with (
        open_database(url, max_connections=1) as database,
        database.connection() as one,
        database.connection() as other,
    ):
        one.execute("create table numbers (number int)")
        other.execute("insert into numbers values (1)")
        assert one.execute("select number from numbers").fetchall() == [(1,)]


def test_pools_that_open_and_close_in_many_threads_leave_nothing_behind(url: str) -> None:
    def come_and_go(_: int) -> bool:
        with open_database(url, application_name="a") as database, database.connection() as connection:
            return connection.execute("select true").fetchone() == (True,)

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(come_and_go, range(100)))
    wait_for(url, {})


def test_a_forked_process_opens_its_own_connections_and_leaves_its_parents_alone(url: str) -> None:
    ended = subprocess.run([sys.executable, "-c", FORK, url], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def last_query(url: str, pid: int) -> str:
    """What a connection was asked last; the pool asks the empty query."""
    with psycopg.connect(url) as observer:
        row = observer.execute("select query from pg_stat_activity where pid = %s", [pid]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("trusted_for_s", "seen"), [(5.0, "select 1"), (0.0, "")])
def test_a_connection_is_tried_before_use_only_when_it_was_idle_for_long(
    database_server: DatabaseServer,
    monkeypatch: pytest.MonkeyPatch,
    trusted_for_s: float,
    seen: str,
) -> None:
    monkeypatch.setattr(shared_pools, "TRUSTED_FOR_S", trusted_for_s)
    with database_server.empty(direct=True) as url, open_database(url) as database:
        with database.connection() as connection:
            connection.execute("select 1")
        with database.connection() as connection:
            assert last_query(url, connection.info.backend_pid) == seen
