"""`entity-pipeline enrich` from posts to links, as a process, through each kind of pooler: the rows are the same."""

import shutil
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import entity_pipeline
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.pgbouncer import Mode, pooler
from entity_pipeline_tests.reliability.kill_cohort import fill
from entity_pipeline_tests.reliability.kill_ground import Ground, ground
from entity_pipeline_tests.reliability.kill_rows import Rows, differences

# As many as a small plan of a hosted database gives a role.
CONNECTIONS = 15
LIMIT_S = 90  # a run takes a few seconds, and many times that on a machine with other work


def enriched(installation: Ground, storage: str, folder: Path, mode: Mode | None) -> Rows:
    """Both databases after a run whose every connection went through the pooler, where the docs allow it."""
    installation.go_back("start")
    folder.mkdir()
    shutil.copy(Path(entity_pipeline.__file__).parents[1] / "dagster.yaml", folder)
    with ExitStack() as stack:

        def by_way_of(url: str) -> str:
            if mode is None:
                return url
            place = folder / f"pooler-{len(list(folder.iterdir()))}"
            place.mkdir()
            return stack.enter_context(pooler(url, place, mode=mode, connections=CONNECTIONS))

        assets, operation = map(by_way_of, installation.databases)
        # Dagster's storage may be behind a session pooler, and never behind a transaction pooler.
        storage = by_way_of(storage) if mode == "session" else storage
        command = Command(
            folder,
            installation.environment()
            | {"ASSETS_DATABASE_URL": assets, "OPERATION_DATABASE_URL": operation}
            | {
                "DAGSTER_HOME": str(folder),
                "DAGSTER_POSTGRES_URL": storage.replace("://", "+psycopg2://", 1),
            },
        )
        with command.start("enrich") as process:
            try:
                out, err = process.communicate(timeout=LIMIT_S)
            finally:
                process.kill()
        assert process.returncode == 0, out + err
    installation.wait_until_left()
    return installation.rows()


@pytest.mark.needs_pgbouncer
@pytest.mark.timeout(4 * LIMIT_S)
def test_a_run_through_a_pooler_in_either_mode_leaves_the_rows_of_a_direct_one(
    database_server: DatabaseServer, fast_path: Path
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=10)
    with ground(database_server) as installation, database_server.empty(direct=True) as storage:
        fill(*installation.databases)
        installation.keep("start")
        direct = enriched(installation, storage, fast_path / "direct", None)
        paid = installation.paid()
        for mode in ("session", "transaction"):
            through = enriched(installation, storage, fast_path / mode, mode)
            assert differences(direct, through, since) == []
            assert installation.paid() == paid
    assert len(direct["brands"]) > 2
    assert {row["state"] for row in direct["gemini_usage_events"]} >= {"settled"}
