"""The pooler of the tests is a real one: it shares connections between transactions, and it goes away."""

from pathlib import Path

import psycopg
import pytest

from entity_pipeline_tests import pgbouncer
from entity_pipeline_tests.databases import ClonedDatabase


def _backend(connection: "psycopg.Connection[tuple[int]]") -> int:
    row = connection.execute("select pg_backend_pid()").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.needs_pgbouncer
def test_two_clients_share_one_connection_in_turns(assets_db: ClonedDatabase, fast_path: Path) -> None:
    with pgbouncer.transaction_pooler(assets_db.url, fast_path, connections=1) as url:
        with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as two:
            assert _backend(one) == _backend(two)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


@pytest.mark.parametrize(("variable", "left_out"), [("true", False), ("1", False), ("", True), (None, True)])
def test_without_the_program_tests_fail_in_ci_and_are_left_out_elsewhere(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, left_out: bool
) -> None:
    monkeypatch.setattr(pgbouncer, "program", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    if variable is not None:
        monkeypatch.setenv("CI", variable)
    assert pgbouncer.is_left_out() is left_out


def test_without_the_program_the_pooler_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pgbouncer, "program", lambda: None)
    with pytest.raises(FileNotFoundError, match="apt-get install pgbouncer"):
        with pgbouncer.transaction_pooler("postgresql://u:p@127.0.0.1:1/assets", tmp_path):
            raise AssertionError("it must not start")
