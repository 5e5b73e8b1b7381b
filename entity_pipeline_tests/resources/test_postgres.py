"""`PostgresResource` and `open_database` against the real server of the test run."""

import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, SchemaMismatch
from entity_pipeline.resources import postgres
from entity_pipeline.resources.postgres import PostgresResource, libpq_url, open_database
from entity_pipeline.sandbox.processes import free_port
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer

PASSWORD = "s3cr3t-%C3%A4-pass"


@pytest.fixture
def url(database_server: DatabaseServer) -> Iterator[str]:
    with database_server.empty() as url:
        yield url


def connections_of(url: str) -> int:
    # An observer of a moment ago may still be leaving, so observers are distinguished by name and not by pid.
    with psycopg.connect(url, application_name="observer") as observer:
        row = observer.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'observer'"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h:1/d", "postgresql://u:p@h:1/d"),
        ("postgresql+psycopg2://u:p@h:1/d?sslmode=disable", "postgresql://u:p@h:1/d?sslmode=disable"),
        ("postgres+psycopg://h/d", "postgres://h/d"),
        (" postgres://h/d\n", "postgres://h/d"),
        ("host=h dbname=d", "host=h dbname=d"),
        ("postgresql://u:a+b://@h/d", "postgresql://u:a+b://@h/d"),
    ],
)
def test_a_driver_suffix_is_cut_off_and_nothing_else(given: str, expected: str) -> None:
    assert libpq_url(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://h/d?pgbouncer=true", "postgresql://h/d"),
        ("postgres://h/d?sslmode=require&supa=base-pooler.x", "postgres://h/d?sslmode=require"),
        ("postgresql://h/d?schema=public&connection_limit=1", "postgresql://h/d"),
        ("postgresql://h/d?schema=other", "postgresql://h/d?schema=other"),
        ("host=h dbname=d", "host=h dbname=d"),
    ],
)
def test_parameters_of_dashboards_are_left_out(given: str, expected: str) -> None:
    assert libpq_url(given) == expected


def test_a_connection_is_in_autocommit_mode_and_prepares_nothing(url: str) -> None:
    with open_database(url, application_name="of a test") as database, database.connection() as connection:
        assert connection.autocommit
        assert connection.prepare_threshold is None
        assert connection.execute("SHOW application_name").fetchone() == ("of a test",)


def test_a_transaction_sees_what_others_committed_whatever_the_server_defaults_to(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    assets.execute(
        f"alter database \"{assets.info.dbname}\" set default_transaction_isolation = 'serializable'"
    )
    with open_database(assets_db.url) as database, database.connection() as connection:
        with connection.transaction():
            assert connection.execute("show transaction_isolation").fetchone() == ("read committed",)


def test_a_sqlalchemy_url_opens_the_same_database(url: str) -> None:
    with (
        open_database(url.replace("postgresql://", "postgresql+psycopg2://")) as database,
        database.connection() as connection,
    ):
        assert f"/{connection.info.dbname}?" in url


def test_nothing_connects_before_the_first_use_and_nothing_stays_after_the_block(url: str) -> None:
    with open_database(url) as database:
        assert connections_of(url) == 0
        with database.connection():
            assert connections_of(url) == 1
    deadline = time.monotonic() + 5
    while connections_of(url) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert connections_of(url) == 0


def test_many_threads_share_few_connections(url: str) -> None:
    with open_database(url, max_connections=3) as database:
        together = threading.Barrier(12)

        def backend(_: int) -> int:
            together.wait()
            with database.connection() as connection:
                return connection.info.backend_pid

        with ThreadPoolExecutor(12) as threads:
            backends = list(threads.map(backend, range(12)))
    assert len(backends) == 12
    assert len(set(backends)) <= 3


def test_a_connection_that_died_while_idle_is_replaced_unnoticed(url: str) -> None:
    with open_database(url, max_connections=1) as database:
        with database.connection() as connection:
            dead = connection.info.backend_pid
        with psycopg.connect(url, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s, 2000)", [dead])
        with database.connection() as connection:
            assert connection.info.backend_pid != dead
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_that_dies_in_use_is_a_database_unavailable_and_the_next_one_works(url: str) -> None:
    with open_database(url) as database:
        with (
            pytest.raises(DatabaseUnavailable, match="dropped the connection"),
            database.connection() as connection,
        ):
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        with database.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_error_in_a_statement_stays_what_it_is_and_leaves_the_connection_usable(url: str) -> None:
    with open_database(url, max_connections=1) as database:
        with pytest.raises(psycopg.errors.DivisionByZero), database.connection() as connection:
            connection.execute("SELECT 1 / 0")
        with database.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("missing", ["SELECT * FROM nowhere", "SELECT nothing", "SELECT no_function()"])
def test_a_missing_table_column_or_function_says_to_migrate(url: str, missing: str) -> None:
    with open_database(url, max_connections=1) as database:
        with (
            pytest.raises(SchemaMismatch, match="run `entity-pipeline migrate`"),
            database.connection() as connection,
        ):
            connection.execute(missing)
        with database.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_unreachable_server_is_reported_in_a_sentence_within_seconds() -> None:
    port = free_port()
    started = time.monotonic()
    with (
        open_database(f"postgresql://someone:{PASSWORD}@127.0.0.1:{port}/catalog") as database,
        pytest.raises(DatabaseUnavailable) as caught,
        database.connection(),
    ):
        pytest.fail("there is nothing to connect to")
    assert f"127.0.0.1:{port}/catalog can't be reached" in str(caught.value)
    assert "refused" in str(caught.value)
    assert time.monotonic() - started < 8


def test_a_refused_password_is_reported_without_showing_it(url: str) -> None:
    parts = urlsplit(url)
    wrong = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{parts.port}{parts.path}"
    with (
        open_database(wrong) as database,
        pytest.raises(DatabaseUnavailable) as caught,
        database.connection(),
    ):
        pytest.fail("the password is wrong")
    shown = "".join(traceback.format_exception(caught.value)) + repr(database)
    assert "authentication failed" in shown
    assert "refuses the user or the password: correct them in its address" in shown
    assert PASSWORD not in shown
    assert "s3cr3t" not in shown


def test_a_missing_database_is_not_called_unreachable_and_the_variable_is_named(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = url.rpartition("/")[0] + "/not_there"
    monkeypatch.setenv("ASSETS_DATABASE_URL", missing)
    with (
        open_database(missing) as database,
        pytest.raises(DatabaseUnavailable, match="does not have this database or user") as caught,
        database.connection(),
    ):
        pytest.fail("there is no such database")
    assert str(caught.value).endswith("the address is ASSETS_DATABASE_URL).")


def test_a_password_that_is_also_a_name_leaves_the_sentence_readable(url: str) -> None:
    parts = urlsplit(url)
    same = f"postgresql://postgres:postgres@127.0.0.1:{parts.port}/postgres_not_there"
    with (
        open_database(same) as database,
        pytest.raises(DatabaseUnavailable) as caught,
        database.connection(),
    ):
        pytest.fail("there is no such database")
    assert "***" not in str(caught.value)


def test_connections_that_all_stay_busy_are_reported_as_such(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WAIT_FOR_CONNECTION_S", 1.2)
    with (
        open_database(url, max_connections=1) as database,
        database.connection(),
        ThreadPoolExecutor(1) as another,
        pytest.raises(DatabaseUnavailable, match=r"at most 1 at once"),
    ):
        another.submit(lambda: database.connection().__enter__()).result()


@pytest.mark.parametrize(
    "unreadable",
    [f"postgresql://u:{PASSWORD}%zz@h/d", f"nonsense {PASSWORD}", "", "  ", "postgresql://u:p@s3cr3t/x@h/d"],
)
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(unreadable: str) -> None:
    with pytest.raises(ConfigurationFailure, match="postgresql://user:password@host") as caught:
        open_database(unreadable).__enter__()
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_the_address_is_in_no_text_form_of_the_resource() -> None:
    resource = PostgresResource(url=f"postgresql://u:{PASSWORD}@h/d")
    assert "s3cr3t" not in f"{resource!r} {resource}"


def test_in_a_dagster_run_the_steps_share_a_pool_that_ends_with_the_run_and_no_event_shows_the_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_DATABASE_URL", url)
    backends = []

    @dg.asset
    def numbers(db: PostgresResource) -> dg.MaterializeResult[None]:
        for _ in range(3):
            with db.connection() as connection:
                backends.append(connection.info.backend_pid)
        return dg.MaterializeResult(metadata={"resource": repr(db)})

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [numbers],
            resources={"db": PostgresResource(url=dg.EnvVar("SOME_DATABASE_URL"))},
            instance=instance,
        )
        told = repr(instance.all_logs(result.run_id)) + repr(result.dagster_run)
    assert len(set(backends)) == 1
    assert len(backends) == 3
    password = urlsplit(url).password
    assert password is not None
    assert password not in told
    assert "PostgresResource(" in told


def test_the_resource_also_works_where_dagster_did_not_start_it(url: str) -> None:
    with PostgresResource(url=url).connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_loading_the_resource_does_not_load_the_driver() -> None:
    program = "import sys, entity_pipeline.resources.postgres; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
