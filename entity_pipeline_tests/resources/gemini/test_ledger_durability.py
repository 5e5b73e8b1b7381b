"""When the database server itself dies: a reservation alone is not flushed, and need not be; what follows it is."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from entity_pipeline import migrations
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline_tests.resources.gemini.ledger_cases import BODY, SENT, about, reserved, sent, settled


@pytest.fixture
def server(fast_path: Path) -> Iterator[EmbeddedPostgres]:
    """A durable server whose log writer sleeps: what no commit flushes is lost with the server."""
    server = EmbeddedPostgres(fast_path, databases=("assets", "operation"))
    try:
        server.ensure(alone=True)
        migrations.migrate(server.url("assets"), server.url("operation"))
        with psycopg.connect(server.url("assets"), autocommit=True) as connection:
            connection.execute("alter system set wal_writer_delay = '10s'")
            connection.execute("select pg_reload_conf()")
        time.sleep(0.3)  # the writer wakes once more by its old delay
        yield server
    finally:
        server.stop()


def kill(server: EmbeddedPostgres) -> None:
    """Kill the server as in a power failure, except that the system still holds the files' pages."""
    with psycopg.connect(server.url("postgres")) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=10)


@pytest.mark.timeout(120)
def test_what_was_marked_sent_outlives_the_server_and_what_does_not_outlive_it_is_never_sent(
    server: EmbeddedPostgres,
) -> None:
    with open_database(server.url("assets")) as database:
        ledger = Ledger(database)
        paid, on_the_wire = settled(ledger, about("paid")), sent(ledger, about("on_the_wire"))
        lost = reserved(ledger, about("lost"))
        kill(server)
    server.ensure(alone=True)
    with open_database(server.url("assets")) as database:
        ledger = Ledger(database)
        with database.connection() as connection:
            rows = connection.execute("select id::text, state, reply from gemini_usage_events").fetchall()
        assert {row[0]: row[1:] for row in rows} == {
            paid.event_id: ("settled", BODY),
            on_the_wire.event_id: ("sent", None),
        }
        assert not ledger.mark_sent(lost.event_id, SENT)
