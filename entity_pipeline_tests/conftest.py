"""What every test gets: no network beyond this machine, its own environment and its own databases.

All of this works without any option in `pyproject.toml`, whatever folder pytest is started in.
"""

import os
import random
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
from hypothesis import settings

from entity_pipeline_tests import browser, direct_only, pgbouncer
from entity_pipeline_tests.databases import (
    ClonedDatabase,
    DatabaseServer,
    Through,
    fast_disk,
    shared_database_server,
)

# The developer's shell must not affect a test: a real database address there would be a disaster.
_FOREIGN = (
    "PG",
    "DAGSTER_",
    "AWS_",
    "R2_",
    "GEMINI_",
    "GOOGLE_",
    "INSTAGRAM_",
    "RCLONE_",
    "ADMIN_",
    "SCRAPER_",
    "ALERT_",
)
for _name in list(os.environ):
    if _name.startswith(_FOREIGN) or _name.endswith("_DATABASE_URL") or _name.lower().endswith("_proxy"):
        del os.environ[_name]

# A shell starts what it puts into the background with Ctrl-C ignored, and every process of a test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# hypothesis would leave chance out where CI is set, and the printed seed would mean nothing.
settings.register_profile("entity_pipeline", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("entity_pipeline")

# Programs that no wheel brings, each with the marker of the tests that need it.
_PROGRAMS = (pgbouncer, browser)
_LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through",
        choices=get_args(Through),
        default="direct",
        help="how tests reach their databases; through a pooler, only tests with a database are run",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.allow_hosts = "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True
    for needed in _PROGRAMS:
        config.addinivalue_line("markers", f"{needed.MARKER}: left out where it is missing, except in CI")
    config.addinivalue_line("markers", "nightly: too long for every change; run where NIGHTLY is set")
    if config.option.hypothesis_seed is None:
        # In CI a red test must be due to the change; new inputs are found by everybody's own runs.
        seed = 1 if os.environ.get("CI") else random.SystemRandom().randrange(2**32)
        config.option.hypothesis_seed = str(seed)


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = f"random tests: repeat with --hypothesis-seed={config.option.hypothesis_seed}"
    missing = [needed for needed in _PROGRAMS if needed.is_left_out()]
    return [seed, *(f"{needed.WHY}: tests marked {needed.MARKER} are left out" for needed in missing)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for needed in _PROGRAMS:
        if not needed.is_left_out():
            continue
        left_out = [item for item in items if item.get_closest_marker(needed.MARKER)]
        _leave_out(config, items, needed.WHY, left_out)
    if not os.environ.get("NIGHTLY"):
        _leave_out(
            config,
            items,
            "NIGHTLY is not set",
            [item for item in items if item.get_closest_marker("nightly")],
        )
    if config.option.through != "direct":
        by_reason: dict[str, list[pytest.Item]] = {}
        for item in items:
            place = item.nodeid.partition("entity_pipeline_tests/")[2]
            why = direct_only.reason(place) or (None if _has_database(item) else "it has no database")
            if why is not None:
                by_reason.setdefault(why, []).append(item)
        for why, left_out in sorted(by_reason.items()):
            _leave_out(config, items, why, left_out)


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], why: str, left_out: Sequence[pytest.Item]
) -> None:
    if not left_out:
        return
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left_out)
    config.stash.setdefault(_LEFT_OUT, {})[why] = len(left_out)


def _has_database(item: pytest.Item) -> bool:
    return "database_server" in getattr(item, "fixturenames", ())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # With xdist only the workers collect, all of them the same.
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    # The header is not printed with -q, and a failure without its seed is lost.
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(pytest_report_header(config)[0])
    for why, left_out in config.stash.get(_LEFT_OUT, {}).items():
        terminalreporter.write_line(f"{left_out} left out: {why}")


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Iterator[DatabaseServer]:
    """The PostgreSQL of the test run; for tests that need a database of their own making."""
    with shared_database_server() as server, server.through(pytestconfig.option.through):
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
