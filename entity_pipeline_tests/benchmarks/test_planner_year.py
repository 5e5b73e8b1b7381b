"""Days of the simulated year that `docs/scaling.md` shows: what must hold at every tick, and which accounts wait."""

import random
import re
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def _script() -> ModuleType:
    spec = spec_from_file_location("planner_year", ROOT / "benchmarks" / "planner_year.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["planner_year"] = module_from_spec(spec)  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


YEAR = _script()
DAYS = dict.fromkeys(YEAR.SCENARIOS, 12) | {"10x, paid": 3}  # the burst comes on the tenth day


def holds(tick: Any, settings: Any) -> None:
    """Check that no tick asks for more than fits, for what is in flight, or for an account before a more-tagged one.

    The part for those that wait longest is left out of the last check.
    """
    fits = tick.quota.remaining // tick.quota.units_per_request
    asked = sum(tick.limits.values())
    assert asked <= fits
    assert asked <= settings.accounts_per_tick
    assert not tick.in_flight & set(tick.limits)
    assert asked == (min(fits, len(tick.pending)) if not tick.quota.cap_reached else 0)
    places = YEAR.places_for_the_oldest(min(fits, settings.accounts_per_tick), settings.fairness)
    kept = tick.longest_waiting[:places] if tick.limits else []
    limits = Counter(tick.limits)
    limits.subtract(account.cohort for account in kept)
    others = [account for account in tick.pending if account.id not in {a.id for a in kept}]
    chosen: list[int] = []
    left: list[int] = []
    for cohort in {account.cohort for account in others}:
        posts = sorted((a.posts for a in others if a.cohort == cohort), reverse=True)
        chosen += posts[: limits[cohort]]
        left += posts[limits[cohort] :]
    assert not chosen or not left or min(chosen) >= max(left)


@pytest.mark.parametrize("name", DAYS)
def test_no_tick_of_the_year_plans_over_the_quota_or_what_is_in_flight(name: str) -> None:
    scenario, ticks = YEAR.SCENARIOS[name], []

    def watch(tick: Any) -> None:
        holds(tick, scenario.settings)
        ticks.append(tick)

    found = YEAR.simulate(scenario, DAYS[name], watch=watch)
    assert len(ticks) == DAYS[name] * 96
    assert found.runs.total() > 0
    spent = YEAR.QUERIES if scenario.model.pool.unit == "query" else 1
    assert max(found.calls.values()) * spent <= scenario.gemini.daily_grounding_cap
    assert found.new.total() == sum(map(len, found.waits.values())) + found.failed + found.waiting


def test_runs_that_outlast_a_tick_are_left_alone_by_the_next() -> None:
    # One review at a time makes a run of 200 accounts longer than the quarter of an hour.
    settings = YEAR.EntitySettings(concurrency=1)
    busy = 0

    def watch(tick: Any) -> None:
        nonlocal busy
        holds(tick, settings)
        busy += bool(tick.in_flight)

    found = YEAR.simulate(YEAR.Scenario(1_000, burst=2_000, settings=settings), 12, watch=watch)
    assert found.worst_tick > YEAR.TICK
    assert busy > 50


def test_above_the_cap_the_most_tagged_do_not_wait_and_the_others_get_their_part() -> None:
    found = YEAR.simulate(YEAR.SCENARIOS["10x"], days=12)
    assert len(found.waits["10 and more"]) > 0.9 * found.new["10 and more"]
    assert max(found.waits["10 and more"]) < 72
    once = len(found.waits["1 post"])
    assert 0.02 * found.new["1 post"] < once < 0.2 * 12 * 1_450
    unfair = replace(YEAR.SCENARIOS["10x"], settings=YEAR.EntitySettings(fairness=0))
    assert len(YEAR.simulate(unfair, days=12).waits["1 post"]) < once / 2


def test_a_little_above_the_cap_fairness_bounds_the_wait_of_accounts_tagged_once() -> None:
    slightly = YEAR.Scenario(1_500)
    unfair = replace(slightly, settings=YEAR.EntitySettings(fairness=0))
    oldest = [YEAR.simulate(scenario, days=40).oldest_days["1 post"] for scenario in (slightly, unfair)]
    assert oldest[0] <= 7 < 15 <= oldest[1]


def test_below_the_cap_no_account_waits_for_a_day() -> None:
    found = YEAR.simulate(YEAR.SCENARIOS["1x"], days=12)
    assert max(max(waits) for waits in found.waits.values()) < 24
    assert not found.oldest_days


def test_an_outage_of_gemini_defers_accounts_and_the_next_day_catches_up() -> None:
    out = YEAR.START + YEAR.OUTAGE_EVERY
    waiting = {}

    def watch(tick: Any) -> None:
        waiting[tick.now] = len(tick.pending)

    found = YEAR.simulate(YEAR.SCENARIOS["1x"], days=32, watch=watch)
    assert waiting[out + YEAR.OUTAGE] > 0
    assert found.waiting == 0


def test_the_same_seed_gives_the_same_year() -> None:
    runs = [YEAR.simulate(YEAR.SCENARIOS["1.5x"], 3, seed) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_cohort_gives_its_accounts_most_tagged_first_and_each_once() -> None:
    chance = random.Random(3)
    cohort = YEAR.Cohort(YEAR.START.date(), chance)
    cohort.add(YEAR.Alike(1, 40, YEAR.START))
    cohort.add(YEAR.Alike(7, 3, YEAR.START))
    first = [account for account, _ in cohort.in_order()][:5]
    cohort.take(5)
    cohort.add(YEAR.Alike(2, 4, YEAR.START + timedelta(hours=6)))
    assert len(list(cohort.in_order())) == cohort.waiting
    cohort.give_back(first[0])
    everybody = [account for account, _ in cohort.in_order()]
    assert everybody[0] == first[0]
    assert everybody == sorted(everybody)
    assert len(set(everybody)) == len(everybody) == cohort.waiting == 40 + 3 - 5 + 1 + 4


def test_drawn_names_are_spread_like_names_drawn_at_once() -> None:
    alike = YEAR.Alike(1, 1_000, YEAR.START)
    chance = random.Random(4)
    names = [alike.draw(chance).name for _ in range(1_000)]
    assert names == sorted(names)
    assert all(abs(name - (nth + 1) / 1_001) < 0.06 for nth, name in enumerate(names))


def test_the_page_shows_every_scenario() -> None:
    section = PAGE.split("## A year of the planner", 1)[1].split("\n## ", 1)[0]
    first_cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    assert set(YEAR.SCENARIOS) <= set(first_cells)
