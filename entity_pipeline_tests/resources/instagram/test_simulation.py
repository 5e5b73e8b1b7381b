"""Days of the pool under a simulated clock: whatever happens, no rule of the governor is broken.

`POOL_SIMULATION_SEEDS=N` runs the first N seeds; a failing one stands in the name of its test.
"""

import os
import sys
from datetime import timedelta

import pytest

from entity_pipeline.resources.instagram import pool
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.simulated_pool import START
from entity_pipeline_tests.resources.instagram.simulation import Simulation

SEEDS = range(1, int(os.environ.get("POOL_SIMULATION_SEEDS", "3")) + 1)
DAYS = 2

_HAPPENS = (
    *(
        "requests",
        "waits",
        "deferred",
        "stalls",
        "at the same time",
        "slot: Busy",
        "found",
        "found with session",
    ),
    *("disabled", "enabled", "sessions added"),
    *(f"full window {timedelta(**{unit: 1})}" for unit in ("minutes", "hours", "days")),
)
_SOME_OF = (
    ("killed with a lease", "killed before sending", "killed after sending"),
    ("slot: LeaseLost", "second request not granted", "late answers of a lost lease"),
    ("rate_limited", "challenge"),
    ("rate_limited with session", "challenge with session"),
    ("logged_out with session", "suspended with session"),
    ("wall", "transport"),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_days_of_crashes_refusals_and_lost_sessions_break_no_rule(
    assets_db: ClonedDatabase, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation = Simulation(assets_db, seed, monkeypatch)
    simulation.run_until(START + timedelta(days=DAYS))
    books, counts = simulation.books, simulation.books.counts
    sys.stdout.write(f"seed {seed}: {books.windows}\n{dict(sorted(counts.items()))}\n")
    # A simulation in which nothing happens would prove nothing.
    assert not {name for name in _HAPPENS if not counts[name]}
    assert sum(not any(counts[name] for name in names) for names in _SOME_OF) <= 1
    # Nothing is lost for good: after a quiet day, every account that is not out of use can be leased.
    books.now += timedelta(days=1, minutes=1)
    with assets_db.connection() as connection:
        standing = {one.username: one for one in pool.accounts(connection, books.now)}
    for name, book in books.accounts.items():
        one = standing[name]
        assert (one.state, one.cooling_until, one.leased_until) == (book.state, None, None)
        assert one.route_cooling_until is None
