"""Days of names that are left, renamed and given away, behind routes whose blocks look like absence.

`POOL_SIMULATION_SEEDS=N` runs the first N seeds; a failing one stands in the name of its test.
"""

import os
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.domains.entities.profiles.backfill import Backfiller
from entity_pipeline.domains.entities.profiles.pictures import ProfilePictures
from entity_pipeline.resources.instagram.judging import ABSENT
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.resources.instagram.simulated_accounts import LookingProcess, World
from entity_pipeline_tests.resources.instagram.simulated_pool import START, TRANSPORT, WALL, Process
from entity_pipeline_tests.resources.instagram.simulation import DEFERRED, ROUTES, Simulation

SEEDS = range(1, int(os.environ.get("POOL_SIMULATION_SEEDS", "1")) + 1)
DAYS = 3
NAMES = 12
WINDOWS = InstagramWindows(gap_s=2.0, jitter_s=(2.0, 5.0), per_minute=10, per_hour=30, per_day=150)
BLOCKED = (ABSENT,) * 4 + (WALL, TRANSPORT)


class Backfills(Simulation):
    """Processes that do the backfill of one account after the other."""

    def __init__(
        self, assets: ClonedDatabase, operation: ClonedDatabase, seed: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(assets, seed, monkeypatch, WINDOWS)
        self.operation = operation
        self.world = World(self.chance, self.books)
        self.world.settle(NAMES)
        self.instagram.page_of = self.world.page
        self.instagram.trouble = BLOCKED
        with operation.connection() as connection:
            made = connection.cursor()
            made.executemany(
                "insert into instagram_accounts (username) values (%s)",
                [[name] for name in self.world.owners],
            )

    def look(self, process: Process, within_s: float) -> str:
        if self.chance.random() < 0.05:
            self.world.something_happens()
        due = self._due()
        if not due:
            return DEFERRED
        account, name = self.chance.choice(due)
        session = LookingProcess(process, self.books.counts, within_s)
        backfiller = Backfiller(
            self.operation,
            session,
            ProfilePictures(session, FakeObjectStore()),
            START,
            clock=lambda: self.books.now,
        )
        ended = backfiller.backfill(account)
        with self.operation.connection() as connection:
            row = connection.execute(
                "select display_name, bio, metadata #> '{entity_enrichment,profile_backfill}' "
                "from instagram_accounts where id = %s",
                [account],
            ).fetchone()
        assert row is not None
        self.world.check(name, row[:2], row[2] or {})
        return DEFERRED if ended is None or isinstance(ended, Deferred) else ended.word

    def _due(self) -> list[tuple[UUID, str]]:
        """Names whose next look is due; finished ones now and then, as a refresh would."""
        with self.operation.connection() as connection:
            accounts = connection.execute(
                "select id, username, metadata #> '{entity_enrichment,profile_backfill}' "
                "from instagram_accounts order by username"
            ).fetchall()
        return [(id_, name) for id_, name, stored in accounts if self._is_due(stored or {})]

    def _is_due(self, stored: Mapping[str, Any]) -> bool:
        if stored.get("status") in ("found", "not_found", "failed"):
            return self.chance.random() < 0.1
        next_at = stored.get("next_attempt_at")
        return next_at is None or datetime.fromisoformat(next_at) <= self.books.now


@pytest.mark.parametrize("anonymous", [False, True], ids=["pool", "anonymous"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_block_is_taken_for_absence_and_no_account_becomes_another(
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    seed: int,
    anonymous: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = Backfills(assets_db, operation_db, seed, monkeypatch)
    if anonymous:
        for name in ROUTES:
            simulation.retire(name)
    simulation.run_until(START + timedelta(days=DAYS))
    counts = simulation.books.counts
    sys.stdout.write(f"seed {seed}: {dict(sorted(counts.items()))}\n")
    # Simulations in which nothing happens would prove nothing.
    assert counts["canary: found"] > 0
    assert counts["canary: not_found"] > 0
    assert counts["stored: not_found, not_found"] > 0
    assert counts["stored: found, found"] > 0
