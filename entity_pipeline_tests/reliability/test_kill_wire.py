"""The wire itself: after a kill before a point, the point never happened; after a kill behind it, it did."""

import subprocess
import sys

import psycopg
import pytest

from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.kill_wire import HttpWire, Phase, PostgresWire, Watch, forwarded

_SQL = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as connection:
    connection.execute("")
    connection.execute("insert into seen values ('simple')")
    connection.execute("insert into seen values (%s)", ["with parameters"])
    with connection.cursor().copy("copy seen from stdin") as copy:
        copy.write("copied\\n")
    with connection.transaction():
        connection.execute("insert into seen values ('committed')")
"""
_ALL = ["simple", "with parameters", "copied", "committed"]
_POINTS = ["insert", "insert", "copy", "copy ends", "BEGIN", "insert", "COMMIT"]


@pytest.mark.parametrize(
    ("at", "phase", "seen"),
    [
        (None, "before", 4),
        (0, "before", 0),
        (0, "after", 1),
        (1, "before", 1),
        (1, "after", 2),
        (2, "after", 2),
        (3, "before", 2),
        (3, "after", 3),
        (5, "after", 3),
        (6, "before", 3),
        (6, "after", 4),
    ],
)
def test_a_statement_happens_when_the_kill_comes_after_it(
    database_server: DatabaseServer, at: int | None, phase: Phase, seen: int
) -> None:
    watch = Watch(at, phase)
    with database_server.empty() as url, PostgresWire("db", url, lambda: watch) as wire:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table seen (what text)")
            with subprocess.Popen([sys.executable, "-c", _SQL, wire.url]) as process:
                watch.watch(process.pid)
                assert process.wait(20) == (0 if at is None else -9)
            while connection.execute(
                "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
                "and backend_type = 'client backend'"
            ).rowcount:
                pass
            found = [what for (what,) in connection.execute("select what from seen")]
    assert found == _ALL[:seen]
    if at is None:
        assert [
            point.removeprefix("db: ").startswith(word)
            for point, word in zip(watch.points, _POINTS, strict=True)
        ]


_HTTP = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + '/page?of=a%20b').read()"


@pytest.mark.parametrize(("at", "phase", "asked"), [(None, "before", 1), (0, "before", 0), (0, "after", 1)])
def test_a_request_arrives_when_the_kill_comes_after_it(at: int | None, phase: Phase, asked: int) -> None:
    seen: list[tuple[str, object]] = []

    def answer(request: Request) -> Reply:
        seen.append((request.path, request.query))
        return Reply(200, b"{}")

    watch = Watch(at, phase)
    with (
        LoopbackServer(answer) as server,
        HttpWire("web", lambda request: forwarded(request, server.url), lambda: watch) as wire,
        subprocess.Popen([sys.executable, "-c", _HTTP, wire.url]) as process,
    ):
        watch.watch(process.pid)
        assert process.wait(20) == (0 if at is None else -9)
    assert seen == [("/page", {"of": ["a b"]})] * asked
