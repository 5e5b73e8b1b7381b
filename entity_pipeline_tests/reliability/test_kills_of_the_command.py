"""`entity-pipeline enrich` killed at random moments, with its usual threads and Dagster's storage in PostgreSQL.

Up to three kills one after the other, each at a random point of the wire and up to 20 ms later, then a run that
is left alone. COMMAND_KILLS=30 makes 30 in all; ``-s`` prints the figures.
"""

import os
import random
import shutil
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import entity_pipeline
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.kill_cohort import fill
from entity_pipeline_tests.reliability.kill_ground import Ground, ground
from entity_pipeline_tests.reliability.kill_rows import Rows, differences, half_written
from entity_pipeline_tests.reliability.kill_wire import PHASES, Watch

KILLS = int(os.environ.get("COMMAND_KILLS", "1"))
IN_A_ROW = 3
MORE_BRANDS = 10
LIMIT_S = 300  # a run takes a few seconds, and many times that on a machine with other work


def enrich(command: Command, installation: Ground, watch: Watch) -> None:
    """One run of the command, to its end or to its kill."""
    installation.watch = watch
    with command.start("enrich") as process:
        try:
            watch.watch(process.pid)
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    installation.wait_until_left()
    assert process.returncode == (-9 if watch.killed else 0), out + err


def spend_is_the_ledgers(rows: Rows) -> bool:
    """The roll-up counts every request that has ended, those that a kill left without an answer too."""
    ended = [row for row in rows["gemini_usage_events"] if row["state"] in ("settled", "failed", "unknown")]
    return len(ended) == sum(row["requests"] for row in rows["gemini_spend_daily"])


@pytest.mark.nightly
@pytest.mark.timeout(300 + 60 * KILLS)
def test_a_command_killed_at_random_moments_ends_like_an_undisturbed_one(
    database_server: DatabaseServer, fast_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("hypothesis_seed")
    chance, since = random.Random(str(seed)), datetime.now(UTC) - timedelta(minutes=10)
    shutil.copy(Path(entity_pipeline.__file__).parents[1] / "dagster.yaml", fast_path)
    with ground(database_server) as installation, database_server.empty() as dagster_url:
        fill(*installation.databases, more_brands=MORE_BRANDS)
        storage = {
            "DAGSTER_HOME": str(fast_path),
            "DAGSTER_POSTGRES_URL": dagster_url.replace("://", "+psycopg2://", 1),
        }
        command = Command(fast_path, {**installation.environment(), **storage})
        before = installation.keep("start")
        alone = Watch()
        enrich(command, installation, alone)
        after, objects, paid = installation.rows(), dict(installation.objects), installation.paid()
        kills = runs = paid_again = 0
        began = time.monotonic()
        while kills < KILLS:
            installation.go_back("start")
            on_the_wire: Counter[str] = Counter()
            for _ in range(min(IN_A_ROW, KILLS - kills)):
                at = chance.randrange(len(alone.points))
                phase = chance.choice(PHASES)
                watch = Watch(at, phase, delay_s=chance.uniform(0, 0.02))
                enrich(command, installation, watch)
                runs += 1
                if not watch.killed:  # so much was done before that it never came to this point
                    break
                kills += 1
                assert half_written(before, installation.rows()) == [], watch.points[at]
                on_the_wire.update(installation.on_the_wire())
                installation.let_time_pass()
            enrich(command, installation, Watch())
            runs += 1
            now = installation.rows()
            assert differences(after, now, since) == []
            assert spend_is_the_ledgers(now)
            assert installation.objects == objects
            again: Counter[str] = Counter()
            for (username, _), count in (installation.paid() - paid).items():
                again[username] += count
            assert again <= on_the_wire, "an account was paid twice that was not on the wire"
            paid_again += again.total()
        with psycopg.connect(dagster_url) as dagster:
            open_runs = dagster.execute(
                "select count(*) from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')"
            ).fetchone()
        assert open_runs == (0,)
    sys.stdout.write(
        f"\nseed {seed}: {len(alone.points)} points in a run, {kills} kills, {runs} runs, 0 differences, "
        f"{paid_again} paid twice on the wire, {time.monotonic() - began:.0f} s\n"
    )
