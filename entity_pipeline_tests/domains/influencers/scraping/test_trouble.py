"""Scrapes while Instagram is in random trouble: refusals, walls, cut-off and empty answers, blocks like absences.

Another few seeds each time; a failure names its seed.
"""

import random

import pytest

from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    DESCRIBED,
    PK,
    Connection,
    asked,
    blog,
    claimed,
    posts_of,
    rows,
    task_now,
)
from entity_pipeline_tests.domains.influencers.scraping.simulated import account, add_to_pool, governed

SEEDS = 8
_RESTED = (
    "update instagram_pool_accounts set state = 'active', cooling_until = null where state <> 'disabled'"
)
_OPEN_ROUTES = "update instagram_routes set cooling_until = null, failures = 0"


def scraped_in_trouble(assets_db: ClonedDatabase, assets: Connection, seed: int) -> str:
    """Attempts until the task has ended; returns its outcome, or "done"."""
    assets.execute("truncate persons, scrape_tasks, instagram_request_log cascade")
    task = asked(assets)
    with InstagramStandin([account(plays_on_grid=False)], latency_ms=0, chaos=seed) as standin:
        for nth in range(30):
            assets.execute(_RESTED)
            assets.execute(_OPEN_ROUTES)
            scrape(task, governed(assets_db, standin.url, DESCRIBED))
            now = task_now(assets, task)
            assert now["lease_owner"] is None, "the task was not given back"
            assert blog(assets)["scrape_status"] not in ("deleted", "private", "scraping")
            if now["status"] in ("done", "failed"):
                return str(now["outcome"] or now["status"])
            task = claimed(assets, f"attempt {nth}")
    raise AssertionError("the task never ends")


@pytest.mark.timeout(300)
def test_trouble_is_never_taken_for_an_answer(assets_db: ClonedDatabase, assets: Connection) -> None:
    add_to_pool(assets, "ours_1", "ours_2", "ours_3")
    for seed in random.sample(range(10**6), SEEDS):
        outcome = scraped_in_trouble(assets_db, assets, seed)
        stored, place = blog(assets), f"seed {seed}: {outcome}"
        if outcome != "done":
            assert outcome in ("error", "all_accounts_cooling", "absence_not_confirmed"), place
            assert stored["scrape_status"] == "failed", place
            continue
        assert (stored["scrape_status"], stored["platform_id"]) == ("analyzing", PK), place
        assert (float(stored["er"]), stored["metrics"]["n"]) == (1.2, 18), place
        assert len(posts_of(assets, stored["id"])) == 20, place
        assert len(rows(assets, "select from blog_highlights")) in (0, 7), place
        assert len(STORE.claim(assets, f"next {seed}", 9, [TaskType.AI_ANALYSIS])) == 1, place
