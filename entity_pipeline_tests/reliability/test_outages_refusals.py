"""Databases that refuse: no connection left, no time for a statement; and one that can never be reached.

Each test checks that the sentence names the database and what to do, that nothing was paid for meanwhile, and
do the same rows come of it once the trouble is over.
"""

import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from entity_pipeline.core.patience import patiently
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph
from entity_pipeline_tests.reliability.cut_proxy import CutProxy, cut_proxy
from entity_pipeline_tests.reliability.final_rows import final_rows, paid
from entity_pipeline_tests.reliability.reached import Undisturbed, reached, run_undisturbed, sample, sentences

JOBS = ("intake_job", "enrichment_job", "linking_job")
KINDS = ("assets", "operation")


@pytest.fixture(scope="module")
def undisturbed(database_server: DatabaseServer) -> Undisturbed:
    return run_undisturbed(database_server)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the patience of half a minute, which would be half a minute of test."""
    monkeypatch.setitem(patiently.__kwdefaults__, "patience_s", 0.5)


@pytest.mark.parametrize("gone", KINDS)
@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_away_for_a_whole_run_fails_every_step_by_name_and_costs_nothing(
    database_server: DatabaseServer, undisturbed: Undisturbed, gone: str
) -> None:
    with reached(database_server) as run:
        sample(run.graph)
        run.proxies[gone].cut()
        place = f"127.0.0.1:{run.proxies[gone].port}/"
        # With nothing to link, linking asks only the one database.
        for job in JOBS[:2]:
            result = run.graph.run(job, MONDAY, TUESDAY, succeeds=False)
            told = sentences(result)
            assert told
            assert all(place in reason and "can't be reached" in reason for reason in told), told
        assert run.graph.calls() == 0
        with run.graph.assets_db.connection() as connection:
            ledger = connection.execute("select count(*) from gemini_usage_events").fetchone()
            tagged = connection.execute("select count(*) from tagged_usernames").fetchone()
        assert ledger == (0,)
        assert run.graph.accounts() == {}
        # The day's tags need only the one database.
        assert tagged == ((0,) if gone == "assets" else (11,))
        run.proxies[gone].restore()
        run.graph.run_all(MONDAY, TUESDAY)
        assert (final_rows(run.graph), paid(run.graph)) == (undisturbed.rows, undisturbed.paid)


@pytest.mark.parametrize("gone", KINDS)
@pytest.mark.usefixtures("impatient")
def test_a_database_that_goes_away_for_good_among_the_reviews_is_named_and_no_account_is_paid_twice(
    database_server: DatabaseServer, undisturbed: Undisturbed, gone: str
) -> None:
    with reached(database_server) as run:
        sample(run.graph)
        run.graph.settings(concurrency=1)
        run.graph.run("intake_job", MONDAY, TUESDAY)
        run.graph.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(3))
        before = paid(run.graph)
        proxy = run.proxies[gone]
        proxy.cut()
        result = run.graph.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(100), succeeds=False)
        assert f"127.0.0.1:{proxy.port}/" in sentences(result)[0]
        assert paid(run.graph) == before
        proxy.restore()
        run.graph.run_all(MONDAY, TUESDAY)
        assert (final_rows(run.graph), paid(run.graph)) == (undisturbed.rows, undisturbed.paid)


def test_the_command_says_in_a_sentence_which_database_is_away(
    tmp_path: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with reached_urls(assets_db, operation_db) as (proxy, variables):
        proxy.cut()
        ended = Command(tmp_path, variables)("enrich")
    assert re.fullmatch(
        rf"PostgreSQL at 127\.0\.0\.1:{proxy.port}/test_\w+ can't be reached: check its address and that it is running "
        r"\(.*refused.*\)\.",
        ended.failure,
    )


@contextmanager
def reached_urls(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> Iterator[tuple[CutProxy, dict[str, str]]]:
    with cut_proxy(assets_db.url) as (proxy, url):
        yield proxy, {"ASSETS_DATABASE_URL": url, "OPERATION_DATABASE_URL": operation_db.url}


class LimitedRole:
    """A role that is not a superuser, so that connection limits hold, with a number of places."""

    def __init__(self, admin_url: str, database: ClonedDatabase, places: int) -> None:
        self.name = f"limited_{uuid.uuid4().hex}"
        self._admin = psycopg.connect(admin_url, autocommit=True)
        self._database = database
        self._admin.execute(
            sql.SQL("create role {} login password 'limited' bypassrls connection limit {}").format(
                sql.Identifier(self.name), sql.Literal(places)
            )
        )
        with database.connection() as connection:
            for what in ("all on all tables in schema public", "temporary on database {database}"):
                connection.execute(
                    sql.SQL("grant " + what + " to {role}").format(
                        role=sql.Identifier(self.name), database=sql.Identifier(connection.info.dbname)
                    )
                )
        self.url = re.sub(r"//[^@]+@", f"//{self.name}:limited@", database.url)

    def close(self) -> None:
        with self._database.connection() as connection:
            connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(self.name)))
        self._admin.execute(sql.SQL("drop role {}").format(sql.Identifier(self.name)))
        self._admin.close()


@contextmanager
def limited(server: DatabaseServer, kind: str, places: int) -> Iterator[tuple[Graph, str]]:
    """An installation whose one database knows the pipeline by a role with few connections."""
    with ExitStack() as stack:
        databases: dict[str, ClonedDatabase] = {}
        url = ""
        for name in KINDS:
            database = stack.enter_context(server.clone(name))  # type: ignore[arg-type]
            databases[name] = database
            if name == kind:
                role = LimitedRole(server.url("postgres"), database, places)
                stack.callback(role.close)
                url = role.url
                databases[name] = ClonedDatabase(url, database._pool)
        yield stack.enter_context(graph(databases["assets"], databases["operation"])), url


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_connection_limit_is_waited_out(
    database_server: DatabaseServer, undisturbed: Undisturbed, kind: str
) -> None:
    with limited(database_server, kind, 10) as (installation, url):
        sample(installation)
        others = [psycopg.connect(url) for _ in range(10)]
        timer = threading.Timer(2.5, lambda: [other.close() for other in others])
        timer.start()
        installation.run_all(MONDAY, TUESDAY)
        timer.join()
        assert (final_rows(installation), paid(installation)) == (undisturbed.rows, undisturbed.paid)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_limit_that_stays_full_is_named(database_server: DatabaseServer, kind: str) -> None:
    with limited(database_server, kind, 2) as (installation, url):
        sample(installation)
        others = [psycopg.connect(url) for _ in range(2)]
        told = sentences(installation.run("intake_job", MONDAY, TUESDAY, succeeds=False))
        for other in others:
            other.close()
        assert "has no connection left: end other clients, or raise the connection limit" in told[0]
        assert "too many connections for role" in told[0]
        assert "limited:limited" not in told[0]
        assert installation.calls() == 0


@contextmanager
def short_of_time(database: ClonedDatabase, statement_timeout: str) -> Iterator[None]:
    with database.connection() as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("alter database {} set statement_timeout = {}").format(name, statement_timeout)
        )
    yield
    with database.connection() as connection:
        connection.execute(sql.SQL("alter database {} reset statement_timeout").format(name))


@contextmanager
def locked(database: ClonedDatabase, statement: str, seconds: float | None = None) -> Iterator[None]:
    """Another session holds what `statement` locks for so long, or until the block ends."""
    other = psycopg.connect(database.url)
    other.execute(statement.encode())
    timer = threading.Timer(seconds or 0, other.close)
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        other.close()


ROW = "select * from instagram_accounts where username = 'prada' for update"
ENTITIES = "lock table brands in access exclusive mode"
LEDGER = "lock table gemini_usage_events in access exclusive mode"
TAGS = "lock table tagged_usernames in access exclusive mode"


@pytest.mark.parametrize(
    ("job", "kind", "statement"),
    [
        ("intake_job", "assets", TAGS),
        ("enrichment_job", "assets", LEDGER),
        ("enrichment_job", "operation", ROW),
        ("linking_job", "operation", ROW),
        ("linking_job", "operation", ENTITIES),
    ],
)
def test_a_lock_that_outlasts_the_statement_timeout_is_waited_out(
    database_server: DatabaseServer, undisturbed: Undisturbed, job: str, kind: str, statement: str
) -> None:
    with database_server.clone("assets") as assets_db, database_server.clone("operation") as operation_db:
        database = assets_db if kind == "assets" else operation_db
        with graph(assets_db, operation_db) as installation, short_of_time(database, "300ms"):
            sample(installation)
            for each in JOBS:
                held = locked(database, statement, 1.5) if each == job else ExitStack()
                config = enrichment_config(100) if each == "enrichment_job" else None
                with held:
                    installation.run(each, MONDAY, TUESDAY, config)
            assert (final_rows(installation), paid(installation)) == (undisturbed.rows, undisturbed.paid)


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_stays_is_named_with_where_to_look_and_nothing_is_paid(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with graph(assets_db, operation_db) as installation:
        sample(installation)
        installation.run("intake_job", MONDAY, TUESDAY)
        with short_of_time(assets_db, "200ms"), locked(assets_db, LEDGER):
            result = installation.run(
                "enrichment_job", MONDAY, TUESDAY, enrichment_config(100), succeeds=False
            )
        (told,) = sentences(result)
        assert (
            "cancelled a statement that waited or ran too long: check which sessions hold locks (pg_locks)"
            in told
        )
        assert "canceling statement due to statement timeout" in told
        assert installation.gemini.requests["total"] == 0
