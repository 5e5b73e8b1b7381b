"""How many requests and round trips a scrape takes, through the real governor and over sockets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    FOUND,
    NAME,
    PK,
    Connection,
    answers,
    asked,
    blog,
    posts_of,
    rows,
    work,
)
from entity_pipeline_tests.domains.influencers.scraping.simulated import account, add_to_pool, governed
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.reliability.kill_wire import PostgresWire, Watch

SCRAPED = Done("scraped")


@contextmanager
def standin(shown: SimulatedAccount) -> Iterator[InstagramStandin]:
    with InstagramStandin([shown], latency_ms=0) as server:
        yield server


@pytest.fixture
def pool(assets_db: ClonedDatabase, assets: Connection) -> ClonedDatabase:
    add_to_pool(assets, "ours_1", "ours_2", "ours_3")
    return assets_db


def requests(assets: Connection) -> list[str]:
    """What the governor counted, in order."""
    log = rows(assets, "select operation, domain from instagram_request_log order by requested_at")
    assert {row["domain"] for row in log} == {"influencers"}
    return [row["operation"] for row in log]


@pytest.mark.parametrize(
    ("shown", "settings", "expected"),
    [
        pytest.param(
            account,
            InfluencerSettings(),
            ["profile", "newest_posts", "highlights", "highlight_items", "highlight_items"],
            id="20 posts and 7 highlights",
        ),
        pytest.param(
            lambda: account(plays_on_grid=False),
            InfluencerSettings(),
            ["profile", "newest_posts", "reels", "highlights", "highlight_items", "highlight_items"],
            id="plays are missing",
        ),
        pytest.param(
            lambda: account(highlights=5),
            InfluencerSettings(),
            ["profile", "newest_posts", "highlights", "highlight_items"],
            id="5 highlights",
        ),
        pytest.param(
            lambda: account(highlights=0),
            InfluencerSettings(),
            ["profile", "newest_posts", "highlights"],
            id="no highlights",
        ),
        pytest.param(
            account,
            InfluencerSettings(highlights_enabled=False),
            ["profile", "newest_posts"],
            id="highlights are off",
        ),
        pytest.param(
            lambda: account(posts=0), InfluencerSettings(highlights_enabled=False), ["profile"], id="no posts"
        ),
    ],
)
def test_a_full_scrape_takes_one_request_for_each_answer(
    pool: ClonedDatabase,
    assets: Connection,
    shown: Callable[[], SimulatedAccount],
    settings: InfluencerSettings,
    expected: list[str],
) -> None:
    with standin(shown()) as server:
        assert scrape(asked(assets), governed(pool, server.url, settings)) == SCRAPED
        assert server.requests["total"] == len(expected)
    assert requests(assets) == expected


def test_the_answers_of_the_stand_in_are_stored_as_they_are(pool: ClonedDatabase, assets: Connection) -> None:
    with standin(account(plays_on_grid=False)) as server:
        scrape(asked(assets), governed(pool, server.url))
    stored = blog(assets)
    assert (stored["platform_id"], stored["follower_count"], stored["media_count"]) == (PK, 10_000, 20)
    # The median of 18 is 119.5; the pinned one and the one with hidden likes are left out.
    assert (float(stored["er"]), stored["metrics"]["n"]) == (1.2, 18)
    assert (stored["metrics"]["pinned"], stored["metrics"]["likes_hidden"]) == (1, 1)
    posts = posts_of(assets, stored["id"])
    assert [row["play_count"] for row in posts] == [None if nth % 3 else 5_000 for nth in range(20)]
    assert [row["like_count"] for row in posts if row["likes_hidden"]] == [None]
    [named] = rows(
        assets, "select distinct story_mentions, story_links, story_locations from blog_highlights"
    )
    assert named == {
        "story_mentions": ["made.up.brand"],
        "story_links": ["https://shop.example/a"],
        "story_locations": ["Beach"],
    }


def test_a_refused_account_rests_and_another_one_asks(pool: ClonedDatabase, assets: Connection) -> None:
    with standin(account(bad_days=("", "rate_limited", "challenge"))) as server:
        assert scrape(asked(assets), governed(pool, server.url)) == SCRAPED
    assert requests(assets)[:4] == ["profile", "newest_posts", "newest_posts", "newest_posts"]
    resting = rows(assets, "select username from instagram_pool_accounts where state = 'cooling'")
    assert len(resting) == 2


def test_a_full_scrape_writes_each_answer_in_one_round_trip(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    watch = Watch()
    with PostgresWire("assets", assets_db.url, lambda: watch) as wire, open_database(wire.url) as database:
        assert scrape(task, work(database, FakeInstagram({NAME: FOUND}, answers=answers()))) == SCRAPED
    # To begin; the profile, the posts with the measures, the tray, five highlights; two more with the task's end.
    assert len(watch.points) == 6
