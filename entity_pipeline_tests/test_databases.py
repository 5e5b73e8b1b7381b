"""What a test may rely on in the fixtures themselves."""

import os
import socket
import urllib.request

import psycopg
import pytest

from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_its_own_empty_copy_of_a_migrated_database(
    operation: psycopg.Connection[tuple[int]], turn: int
) -> None:
    operation.execute("INSERT INTO instagram_accounts (username) VALUES ('gentlemonster')")
    assert operation.execute("SELECT count(*) FROM instagram_accounts").fetchall() == [(1,)]


def test_the_databases_of_a_test_have_the_address_that_their_connections_have(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    for database, table in ((assets_db, "raw_posts"), (operation_db, "brands")):
        with psycopg.connect(database.url) as direct, database.connection() as pooled:
            name = direct.execute("SELECT current_database()").fetchone()
            assert pooled.execute("SELECT current_database()").fetchone() == name
            assert direct.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() == (True,)


def test_a_database_is_dropped_after_its_test_even_while_a_client_is_connected(
    database_server: DatabaseServer,
) -> None:
    with database_server.empty() as url:
        forgotten = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    forgotten.close()


def test_nothing_outside_this_machine_can_be_reached() -> None:
    with socket.socket() as probe, pytest.raises(Exception, match=r"tried to use socket\.socket\.connect"):
        probe.connect(("192.0.2.1", 443))


def test_the_environment_of_the_shell_does_not_reach_a_test() -> None:
    leaked = {"OPERATION_DATABASE_URL", "ASSETS_DATABASE_URL", "GEMINI_API_KEY", "PGHOST", "DAGSTER_HOME"}
    assert leaked.isdisjoint(os.environ)
    assert urllib.request.getproxies() == {}
