"""SIGKILL before and after every statement and HTTP call of `submit` and `collect`, then all of it once more.

Whatever the moment, Gemini makes one batch, every request is answered and paid for once, and the ledger's cost is the
stand-in's bill to the cent.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.kill_attack import KILLED, Child, child_in
from entity_pipeline_tests.reliability.kill_ground import Ground, ground
from entity_pipeline_tests.reliability.kill_wire import PHASES, Watch
from entity_pipeline_tests.resources.gemini.batch_cases import BATCH_PRICE

# ``find`` is a look at a batch whose creation failed after it was made.
# In the short form, a kill at everything that is committed or leaves the machine.
_TELLING = ("gemini ", "commit", "update gemini", "with marked", "with ended", "ledger_settle")
_ROUNDS = 6


class Batches:
    """The same three requests again and again, from an installation without any."""

    def __init__(self, installation: Ground, child: Child) -> None:
        self.installation = installation
        self._child = child
        installation.keep("migrated")

    def start_over(self) -> None:
        self.installation.go_back("migrated")
        self.installation.batches.bad_days.looks_until_ended = 0

    def run(self, what: str, watch: Watch | None = None) -> int:
        """One run under a watch; returns how it ended, negative for a signal."""
        self.installation.watch = watch or Watch()
        code = self._child.run(self.installation.watch, what=what, days=[], here=False)
        self.installation.wait_until_left()
        return code

    def prepare(self, what: str) -> str:
        """Everything up to what is attacked; returns the order that is attacked."""
        self.start_over()
        if what == "submit":
            return what
        if what == "find":
            self.installation.batches.bad_days.create = ["overloaded_made"]
        assert self.run("submit") == 0
        return "collect"

    def points(self, what: str) -> list[str]:
        """What an undisturbed run sends."""
        watch = Watch()
        assert self.run(self.prepare(what), watch) == 0, self._child.said()
        return watch.points

    def kill(self, what: str, number: int, phase: str) -> list[str]:
        """End a run at a point, let time pass and go on as a schedule does; returns what is wrong then."""
        assert self.run(self.prepare(what), Watch(number, phase)) == KILLED  # type: ignore[arg-type]
        for _ in range(_ROUNDS):
            if self._is_done():
                break
            self._pass_time("21 minutes")
            for order in ("submit", "collect"):
                assert self.run(order) == 0, self._child.said()
        return self._faults()

    def _is_done(self) -> bool:
        with psycopg.connect(self.installation.databases[0], autocommit=True) as assets:
            is_open = (
                assets.execute("select from gemini_batches where state <> 'ended'").fetchone() is not None
            )
        return self._states()["settled"] == 3 and not is_open

    def _states(self) -> Counter[str]:
        with psycopg.connect(self.installation.databases[0], autocommit=True) as assets:
            rows = assets.execute("select state from gemini_usage_events").fetchall()
        return Counter(state for (state,) in rows)

    def _faults(self) -> list[str]:
        batches, faults = self.installation.batches, []
        with psycopg.connect(self.installation.databases[0], autocommit=True) as assets:
            spent, open_batches = assets.execute(
                "select sum(cost_usd), (select count(*) from gemini_batches where state <> 'ended') "
                "from gemini_usage_events"
            ).fetchone() or (0, 0)
        price_in, price_out = next(iter(BATCH_PRICE.values()))
        costs = [(one.prompt * price_in + one.output * price_out) / 1_000_000 for one in batches.billed]
        bill = sum((cost.quantize(Decimal("0.000001")) for cost in costs), Decimal(0))
        if len(batches.display_names) != 1:
            faults.append(f"Gemini made {len(batches.display_names)} batches")
        if len(batches.billed) != 3 or spent != bill:
            faults.append(f"{len(batches.billed)} answers were billed at {bill}, and the ledger says {spent}")
        states = self._states()
        if states["settled"] != 3 or states.keys() - {"settled", "released"} or open_batches:
            faults.append(f"the ledger holds {dict(states)} and {open_batches} open batches")
        return faults

    def _pass_time(self, interval: str) -> None:
        with psycopg.connect(self.installation.databases[0], autocommit=True) as assets:
            assets.execute(
                "update gemini_batches set lease_until = lease_until - %(i)s::interval, "
                "creating_at = creating_at - %(i)s::interval, absent_since = absent_since - %(i)s::interval",
                {"i": interval},
            )


@pytest.fixture(scope="module")
def batches(database_server: DatabaseServer) -> Iterator[Batches]:
    with ground(database_server) as installation, child_in(installation.environment()) as child:
        yield Batches(installation, child)


def test_the_batch_is_named_and_its_creation_noted_before_it_is_created(batches: Batches) -> None:
    points = batches.points("submit")
    first = {
        what: next(nth for nth, point in enumerate(points) if what in point)
        for what in (
            "insert into gemini_batches",
            "POST /upload/",
            "with marked",
            ":batchGenerateContent",
            "google_name =",
        )
    }
    assert list(first.values()) == sorted(first.values())


def attacked(batches: Batches, what: str, *, all_points: bool) -> list[str]:
    faults = []
    for number, point in enumerate(batches.points(what)):
        if all_points or any(word in point.lower() for word in _TELLING):
            for phase in PHASES:
                faults += [
                    f"{phase} {number} ({point[:80]}): {one}" for one in batches.kill(what, number, phase)
                ]
    return faults


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["submit", "find", "collect"])
def test_a_killed_batch_is_paid_once(batches: Batches, what: str) -> None:
    assert attacked(batches, what, all_points=False) == []


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("what", ["submit", "find", "collect"])
def test_a_batch_killed_at_any_statement_is_paid_once(batches: Batches, what: str) -> None:
    assert attacked(batches, what, all_points=True) == []
