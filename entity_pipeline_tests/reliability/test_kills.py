"""SIGKILL before and after every statement and outside call of each asset, then a person's edit and a second run.

By default two seeded points per asset; KILLS=40 takes 40, KILLS=all every one, and ``-s`` prints the figures.
"""

import os
import random
import sys
import time
from collections.abc import Iterator

import pytest

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.kill_attack import ATTACKED, Attack, attack
from entity_pipeline_tests.reliability.kill_wire import PHASES

KILLS = os.environ.get("KILLS", "2")
PARTS = 8 if KILLS == "all" else 1  # so that several processes can share an asset


@pytest.fixture(scope="module")
def attacked(database_server: DatabaseServer) -> Iterator[Attack]:
    with attack(database_server) as made:
        yield made


# What the undisturbed run makes of each: profile, review, decision.
WAYS = {
    "tideloom.kr.madeup": ("found", "reviewed", "attached"),
    "vanished.shop.madeup": ("not_found", "reviewed", "created"),
    "solpaca.madeup": ("found", "reviewed", "linked"),
    "expiredlogo.madeup": ("found", "reviewed", "created"),
    "lumenveil.archive.madeup": ("found", "reviewed", "attached"),
    "riomarlow.madeup": ("found", "reviewed", "created"),
    "aurorafive.madeup": ("found", "reviewed", "created"),
    "stylegazette.madeup": ("found", "reviewed", "excluded"),
    "quillmere.madeup": ("found", "reviewed", "held"),
    "brokenreply.madeup": ("found", "reviewed", "created"),
    "garbledreply.madeup": ("found", "failed", None),
    "tideloom.madeup": ("found", "reviewed", "created"),
    "brackenfold.madeup": ("found", "reviewed", "created"),
    "overloaded.madeup": ("found", "reviewed", "created"),
    "@Lumenveil.madeup": ("found", "reviewed", "linked"),
}
NO_PICTURE = ("vanished.shop.madeup", "expiredlogo.madeup")


def test_the_accounts_under_attack_cover_every_way_through_the_pipeline(attacked: Attack) -> None:
    end = attacked.undisturbed["catalog_links"]
    ways = {}
    for account in end.after["instagram_accounts"]:
        stages = account["metadata"]["entity_enrichment"]
        ways[account["username"]] = (
            stages["profile_backfill"]["outcome"],
            stages["gemini_review"]["status"],
            stages.get("catalog_link", {}).get("status"),
        )
    assert ways == WAYS
    assert len(end.objects) == len(WAYS) - len(NO_PICTURE)
    states = [row["state"] for row in end.after["gemini_usage_events"]]
    assert (states.count("settled"), states.count("failed"), len(states)) == (len(WAYS) + 2, 1, len(WAYS) + 3)


@pytest.mark.timeout(300 if PARTS == 1 else 3_600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ATTACKED)
def test_a_killed_run_and_a_second_one_end_like_an_undisturbed_run(
    attacked: Attack, request: pytest.FixtureRequest, name: str, part: int
) -> None:
    points = attacked.undisturbed[name].points
    kills = [(number, phase) for number in range(len(points)) for phase in PHASES]
    if KILLS != "all":
        seed = request.config.getoption("hypothesis_seed")
        kills = random.Random(f"{seed} {name}").sample(kills, min(int(KILLS), len(kills)))
    began = time.monotonic()
    survived = [attacked.kill(ATTACKED[name], number, phase) for number, phase in kills[part::PARTS]]
    sys.stdout.write(
        f"\n{name} {part + 1}/{PARTS}: {len(points)} points, {len(survived)} kills, as many second runs, "
        f"{sum(bool(one.faults) for one in survived)} with a difference, "
        f"{sum(one.paid_again for one in survived)} paid twice on the wire, {time.monotonic() - began:.0f} s\n"
    )
    assert {one.point: one.faults for one in survived if one.faults} == {}
