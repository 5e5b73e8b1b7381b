"""A worker whose task was taken over while it waited for an answer, at each request of a scrape."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.reels import Reel, ReelsLook, ReelsPage
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    DESCRIBED,
    FOUND,
    LIMITED,
    NAME,
    NOT_THERE,
    PK,
    Answers,
    Connection,
    answers,
    asked,
    claimed,
    post,
    rows,
    work,
)
from entity_pipeline_tests.fakes.instagram import Ended, FakeInstagram

POSTS = tuple(post(nth, play_count=None) for nth in range(20))
REELS = {
    ReelsLook(PK, NAME): Result(Finding.FOUND, ReelsPage([Reel(one.pk, one.code, 7) for one in POSTS[::3]]))
}
ALL = ("blogs", "persons", "blog_posts", "blog_highlights", "scrape_tasks")
REQUESTS = 6


@dataclass
class Slow:
    """A session whose answer number `at` comes after something else has happened."""

    session: InstagramSession
    at: int
    meanwhile: Callable[[], object]
    seen: list[str] = field(default_factory=list)

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any] | Deferred:
        answer = self.session.run(operation, deadline)
        self.seen.append(operation.name)
        if len(self.seen) == self.at + 1:
            self.meanwhile()
        return answer


def snapshot(assets: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row with the transaction that wrote it."""
    return {table: rows(assets, f"select xmin::text, t.* from {table} t order by 2") for table in ALL}


def late(
    assets_db: ClonedDatabase,
    assets: Connection,
    at: int,
    profile: Ended = FOUND,
    found: Answers | None = None,
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The rows when another worker took over, those after the late one had its answer, and what it asked."""
    before: dict[str, Any] = {}

    def taken_over() -> None:
        assets.execute("update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms'")
        STORE.recover(assets)
        claimed(assets, "another worker")
        before.update(snapshot(assets))

    task = asked(assets)
    instagram = FakeInstagram({NAME: profile}, answers=found if found is not None else answers(POSTS) | REELS)
    session = Slow(instagram, at, taken_over)
    assert scrape(task, work(assets_db, session, DESCRIBED)) == Done("lost")
    return before, snapshot(assets), session.seen


@pytest.mark.parametrize("at", range(REQUESTS))
def test_a_late_worker_writes_nothing_and_asks_for_nothing_more(
    assets_db: ClonedDatabase, assets: Connection, at: int
) -> None:
    before, after, seen = late(assets_db, assets, at)
    assert after == before
    assert len(seen) == at + 1


@pytest.mark.parametrize(
    ("at", "profile"),
    [(0, NOT_THERE), (0, Result(Finding.PRIVATE)), (2, LIMITED), (0, BUSY)],
)
def test_a_late_worker_does_not_end_the_task_either(
    assets_db: ClonedDatabase, assets: Connection, at: int, profile: Ended
) -> None:
    before, after, _ = late(assets_db, assets, at, profile)
    assert after == before


def test_the_scrape_above_has_as_many_requests(assets_db: ClonedDatabase, assets: Connection) -> None:
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(POSTS) | REELS)
    session = Slow(instagram, -1, lambda: None)
    assert scrape(asked(assets), work(assets_db, session, DESCRIBED)) == Done("scraped")
    assert len(session.seen) == REQUESTS
