"""Databases that go away in the middle of a real run of the whole graph, and come back.

`OUTAGES=60` (and `OUTAGE_S=5`) cuts at that many random places of the run; the seed is printed.
"""

import os
import random
import time

import pytest

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY
from entity_pipeline_tests.nightly import mostly_nightly
from entity_pipeline_tests.reliability.cut_proxy import away_for
from entity_pipeline_tests.reliability.final_rows import final_rows, paid
from entity_pipeline_tests.reliability.reached import Undisturbed, reached, run_undisturbed, sample

OUTAGES = int(os.environ.get("OUTAGES", "0"))
OUTAGE_S = float(os.environ.get("OUTAGE_S", "5"))


@pytest.fixture(scope="module")
def undisturbed(database_server: DatabaseServer) -> Undisturbed:
    return run_undisturbed(database_server)


BOTH = ("assets", "operation")


@pytest.mark.parametrize(
    ("gone", "share", "seconds"),
    mostly_nightly(
        [
            (("assets",), 0.45, 1.5),
            (("operation",), 0.70, 5.0),
            (BOTH, 0.30, 1.5),
            (("assets",), 0.08, 1.5),
            (("assets",), 0.65, 5.0),
            (("assets",), 0.92, 1.5),
            (("operation",), 0.06, 1.5),
            (("operation",), 0.40, 1.5),
            (("operation",), 0.95, 1.5),
            (BOTH, 0.60, 5.0),
        ],
        always=3,
    ),
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_database_that_goes_away_in_the_middle_is_waited_for_and_nothing_differs(
    database_server: DatabaseServer,
    undisturbed: Undisturbed,
    gone: tuple[str, ...],
    share: float,
    seconds: float,
) -> None:
    run_with_an_outage(database_server, undisturbed, gone, share, seconds)


@pytest.mark.timeout(max(120, OUTAGES * 60))
def test_a_database_that_goes_away_at_random_places_is_waited_for(
    database_server: DatabaseServer, undisturbed: Undisturbed
) -> None:
    seed = int(os.environ.get("OUTAGE_SEED", random.SystemRandom().randrange(2**32)))
    chance = random.Random(seed)
    for number in range(OUTAGES or 1):
        gone = chance.choice([("assets",), ("operation",), BOTH])
        share = chance.uniform(0.01, 0.99)
        started = time.monotonic()
        print(f"OUTAGE_SEED={seed} {number}: {gone} away at {share:.3f}", end=" ", flush=True)  # noqa: T201
        run_with_an_outage(database_server, undisturbed, gone, share, OUTAGE_S if OUTAGES else 1.0)
        print(f"{time.monotonic() - started:.1f} s")  # noqa: T201


def run_with_an_outage(
    server: DatabaseServer, undisturbed: Undisturbed, gone: tuple[str, ...], share: float, seconds: float
) -> None:
    with reached(server) as run:
        sample(run.graph)
        proxies = [run.proxies[kind] for kind in gone]
        at = max(1, int(undisturbed.messages[gone[0]] * share))
        proxies[0].cut_at_message(at, lambda: away_for(proxies, seconds))
        run.graph.run_all(MONDAY, TUESDAY)
        assert [proxy.cuts for proxy in proxies] == [1] * len(proxies)
        assert paid(run.graph) == undisturbed.paid
        assert final_rows(run.graph) == undisturbed.rows
