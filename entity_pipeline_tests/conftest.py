"""What every test gets: no network beyond this machine, an environment of its own, databases of its own.

Surprising: all of it holds without any option in `pyproject.toml`, whatever folder pytest is started in.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings

from entity_pipeline_tests.databases import (
    ClonedDatabase,
    DatabaseServer,
    fast_disk,
    shared_database_server,
)

# The person's shell must not reach into a test: a real database address there would be a disaster.
_FOREIGN = ("PG", "DAGSTER_", "AWS_", "R2_", "GEMINI_", "GOOGLE_", "INSTAGRAM_", "RCLONE_", "ADMIN_TOKEN")
for _name in list(os.environ):
    if _name.startswith(_FOREIGN) or _name.endswith("_DATABASE_URL") or _name.lower().endswith("_proxy"):
        del os.environ[_name]

settings.register_profile("entity_pipeline", deadline=None, print_blob=True)
settings.load_profile("entity_pipeline")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.allow_hosts = "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    return f"random tests: repeat with --hypothesis-seed={config.option.hypothesis_seed}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    # The header is not printed with -q, and a failure without its seed is lost.
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(pytest_report_header(config))


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The PostgreSQL of the test run; for tests that need a database of their own making."""
    with shared_database_server() as server:
        yield server


@pytest.fixture
def fast_path() -> Iterator[Path]:
    """Like `tmp_path`, for the files of servers: in memory where possible, and gone after the test."""
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-test-", dir=fast_disk()) as folder:
        yield Path(folder)


@pytest.fixture
def assets_db(database_server: DatabaseServer) -> Iterator[ClonedDatabase]:
    """A migrated `assets` database without rows."""
    with database_server.clone("assets") as database:
        yield database


@pytest.fixture
def operation_db(database_server: DatabaseServer) -> Iterator[ClonedDatabase]:
    """A migrated `operation` database without rows."""
    with database_server.clone("operation") as database:
        yield database


@pytest.fixture
def assets(assets_db: ClonedDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A connection to `assets_db`."""
    with assets_db.connection() as connection:
        yield connection


@pytest.fixture
def operation(operation_db: ClonedDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A connection to `operation_db`."""
    with operation_db.connection() as connection:
        yield connection
