"""A scrape from its first request to its last, with Instagram's answers in a fake."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from entity_pipeline.core.instagram.highlights import HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.post import NamedUser
from entity_pipeline.core.instagram.profile import ProfileById
from entity_pipeline.core.instagram.reels import Reel, ReelsLook, ReelsPage
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    DESCRIBED,
    FOUND,
    HIGHLIGHTS,
    NAME,
    NOW,
    PK,
    POSTS,
    PROFILE,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    items,
    post,
    posts_of,
    rows,
    task_now,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram

SCRAPED = Done("scraped")


def test_everything_that_is_shown_is_stored(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: FOUND}, answers=answers())
    assert scrape(task, work(assets_db, instagram)) == SCRAPED
    stored = blog(assets)
    assert {name: stored[name] for name in ("platform_id", "full_name", "biography", "external_url")} == {
        "platform_id": PK,
        "full_name": "Made Up",
        "biography": "바다",
        "external_url": "https://shop.example/",
    }
    assert (stored["is_verified"], stored["is_business"], stored["business_category"]) == (
        True,
        True,
        "Traveller",
    )
    assert (stored["follower_count"], stored["following_count"], stored["media_count"]) == (10_000, 56, 78)
    assert (stored["scrape_status"], stored["scraped_at"] is not None) == ("active", True)
    # Of the posts 1 to 19, which are two days old or more: 110 likes and 10 comments at the median.
    assert stored["er"] == Decimal("1.20")
    assert (stored["er_trend"], stored["posts_per_week"]) == ("stable", Decimal("3.50"))
    assert rows(assets, "select full_name from persons") == [{"full_name": "Made Up"}]
    posts = posts_of(assets, stored["id"])
    assert [row["platform_id"] for row in posts] == [one.pk for one in POSTS]
    assert (posts[0]["hashtags"], posts[0]["mentions"]) == (["jeju"], ["made.up.brand"])
    assert (posts[0]["location_name"], posts[0]["location_lat"]) == ("Beach", 33.4)
    highlights = rows(assets, "select * from blog_highlights order by platform_id")
    assert [row["title"] for row in highlights] == [one.title for one in HIGHLIGHTS]
    for row in highlights:
        assert row["story_mentions"] == ["made.up.brand"]
        assert row["story_locations"] == ["Beach"]
        assert row["story_links"] == ["https://shop.example/a"]
        assert row["stories_read_at"] is not None
    ended = task_now(assets, task)
    assert (ended["status"], ended["outcome"], ended["lease_owner"]) == ("done", None, None)


def test_each_answer_is_asked_for_once(assets_db: ClonedDatabase, assets: Connection) -> None:
    instagram = FakeInstagram({NAME: FOUND}, answers=answers())
    scrape(asked(assets), work(assets_db, instagram))
    assert instagram.looked_at == [NAME]
    assert instagram.ran == [
        NewestPosts(PK, 20),
        HighlightsLook(PK),
        items(*HIGHLIGHTS[:5])[0],
        items(*HIGHLIGHTS[5:])[0],
    ]


def test_with_insights_on_the_blog_waits_for_its_analysis(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    instagram = FakeInstagram({NAME: FOUND}, answers=answers())
    scrape(asked(assets), work(assets_db, instagram, DESCRIBED))
    assert blog(assets)["scrape_status"] == "analyzing"
    [analysis] = STORE.claim(assets, "next", 10, [TaskType.AI_ANALYSIS])
    assert (analysis.task_key, analysis.priority) == (str(blog(assets)["id"]), 3)


def test_highlights_have_a_switch_of_their_own(assets_db: ClonedDatabase, assets: Connection) -> None:
    instagram = FakeInstagram({NAME: FOUND}, answers=answers())
    settings = InfluencerSettings(highlights_enabled=False)
    assert scrape(asked(assets), work(assets_db, instagram, settings)) == SCRAPED
    assert instagram.ran == [NewestPosts(PK, 20)]
    assert blog(assets)["scrape_status"] == "active"


def test_plays_that_the_page_leaves_out_come_from_the_reels(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    posts = tuple(post(nth, play_count=None) for nth in range(20))
    # One reel is hidden from the grid, and one does not show its plays.
    reels = [*(Reel(one.pk, one.code, 7_000) for one in posts[3::3]), Reel(5, "Hidden", 9)]
    page = Result(Finding.FOUND, ReelsPage((Reel(posts[0].pk, posts[0].code), *reels)))
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(posts) | {ReelsLook(PK, NAME): page})
    assert scrape(asked(assets), work(assets_db, instagram)) == SCRAPED
    assert instagram.ran[:2] == [NewestPosts(PK, 20), ReelsLook(PK, NAME)]
    stored = posts_of(assets, blog(assets)["id"])
    plays = {row["platform_id"]: (row["play_count"], row["plays_known"]) for row in stored}
    assert plays == {
        one.pk: (7_000, True) if nth and nth % 3 == 0 else (None, False) for nth, one in enumerate(posts)
    }
    assert blog(assets)["metrics"]["er_views"] == 1.72  # 120.5 of 7,000


def test_hidden_likes_pins_and_shared_posts_are_stored_as_such(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    brand = NamedUser(77, "made.up.brand")
    posts = (
        post(1, like_count=None, likes_hidden=True),
        post(2, pinned_by=(PK,)),
        post(3, pinned_by=(77,)),
        post(4, owner=brand, coauthors=(NamedUser(PK, NAME), NamedUser(78, None))),
        post(5, caption=None, location=None, comment_count=None, sponsors=(brand, NamedUser(79, None))),
    )
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(posts, ()))
    scrape(asked(assets), work(assets_db, instagram))
    hidden, pinned, by_another, shared, bare = posts_of(assets, blog(assets)["id"])
    assert (hidden["like_count"], hidden["likes_hidden"]) == (None, True)
    assert (pinned["is_pinned"], by_another["is_pinned"]) == (True, False)
    assert (shared["coauthors"], pinned["coauthors"]) == ([77, 78], [])
    assert (bare["caption_text"], bare["hashtags"], bare["location_id"], bare["comment_count"]) == (
        None,
        [],
        None,
        None,
    )
    assert bare["sponsors"] == ["made.up.brand", "79"]
    metrics = blog(assets)["metrics"]
    assert (metrics["pinned"], metrics["likes_hidden"], metrics["n"]) == (1, 1, 2)
    assert metrics["why"]["er"] == "too_few_posts"
    assert blog(assets)["er"] is None


def test_a_profile_without_posts_is_not_asked_for_any(assets_db: ClonedDatabase, assets: Connection) -> None:
    found = replace(FOUND, value=replace(PROFILE, media_count=0))
    instagram = FakeInstagram({NAME: found}, answers=answers(highlights=()))
    assert scrape(asked(assets), work(assets_db, instagram)) == SCRAPED
    assert instagram.ran == [HighlightsLook(PK)]
    assert blog(assets)["scrape_status"] == "active"
    assert blog(assets)["metrics"]["why"]["posts_per_week"] == "too_few_posts"


def test_a_second_scrape_touches_only_what_differs(assets_db: ClonedDatabase, assets: Connection) -> None:
    settings = InfluencerSettings(highlights_enabled=False)
    scrape(asked(assets), work(assets_db, FakeInstagram({NAME: FOUND}, answers=answers()), settings))
    before = rows(assets, "select platform_id, xmin::text, like_count from blog_posts order by 1")
    changed = (post(0, like_count=500), *POSTS[1:])
    again = FakeInstagram({NAME: FOUND}, answers=answers(changed))
    scrape(asked(assets), work(assets_db, again, settings, NOW + timedelta(minutes=1)))
    after = rows(assets, "select platform_id, xmin::text, like_count from blog_posts order by 1")
    assert [row for row in after if row not in before] == [after[0]]
    assert after[0]["like_count"] == 500


def test_plays_once_known_stay_when_a_page_leaves_them_out(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    settings = InfluencerSettings(highlights_enabled=False)
    scrape(asked(assets), work(assets_db, FakeInstagram({NAME: FOUND}, answers=answers()), settings))
    without = answers(tuple(post(nth, play_count=None, like_count=1) for nth in range(20)))
    empty = Result(Finding.FOUND, ReelsPage(()))
    again = FakeInstagram({NAME: FOUND}, answers=without | {ReelsLook(PK, NAME): empty})
    assert scrape(asked(assets), work(assets_db, again, settings)) == SCRAPED
    stored = posts_of(assets, blog(assets)["id"])
    assert [row["play_count"] for row in stored[::3]] == [5_000] * 7


def test_a_scrape_that_goes_on_measures_the_same(assets_db: ClonedDatabase, assets: Connection) -> None:
    # The page is not in the order in which a database would give the posts.
    posts = tuple(post(nth, play_count=None, likes_hidden=nth == 4) for nth in range(19, -1, -1))
    reels = Result(Finding.FOUND, ReelsPage([Reel(one.pk, one.code, 7_000) for one in posts]))
    found = answers(posts, ()) | {ReelsLook(PK, NAME): reels}

    def measured() -> dict[str, Any]:
        names = ("er", "er_reels", "er_trend", "posts_per_week", "metrics")
        return {name: blog(assets)[name] for name in names}

    scrape(asked(assets), work(assets_db, FakeInstagram({NAME: FOUND}, answers=found)))
    at_once = measured()
    assets.execute("truncate persons cascade")
    scrape(
        asked(assets),
        work(assets_db, FakeInstagram({NAME: FOUND}, answers=found | {ReelsLook(PK, NAME): BUSY})),
    )
    assert blog(assets)["er"] is None
    assert scrape(claimed(assets), work(assets_db, FakeInstagram(answers=found))) == SCRAPED
    assert measured() == at_once
    assert at_once["metrics"]["er_views"] is not None


def test_counts_that_the_page_leaves_out_are_asked_for_by_the_id(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    page = replace(PROFILE, follower_count=None, media_count=None)
    by_id = {ProfileById(PK): FOUND}
    instagram = FakeInstagram({NAME: Result(Finding.FOUND, page)}, answers=answers() | by_id)
    assert scrape(asked(assets), work(assets_db, instagram)) == SCRAPED
    assert instagram.ran[:2] == [ProfileById(PK), NewestPosts(PK, 20)]
    stored = blog(assets)
    assert (stored["follower_count"], stored["media_count"]) == (10_000, 78)
    assert stored["er"] is not None


def test_who_has_no_posts_by_the_id_is_not_asked_for_posts(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    page = replace(PROFILE, media_count=None)
    by_id = {ProfileById(PK): Result(Finding.FOUND, replace(PROFILE, media_count=0))}
    instagram = FakeInstagram({NAME: Result(Finding.FOUND, page)}, answers=answers((), ()) | by_id)
    assert scrape(asked(assets), work(assets_db, instagram)) == SCRAPED
    assert instagram.ran == [ProfileById(PK), HighlightsLook(PK)]


def test_a_scrape_goes_on_without_counts_that_nobody_shows(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    page = replace(PROFILE, follower_count=None)
    drift: Result[Any] = Result(Finding.DRIFT, detail="no user")
    instagram = FakeInstagram(
        {NAME: Result(Finding.FOUND, page)}, answers=answers() | {ProfileById(PK): drift}
    )
    assert scrape(asked(assets), work(assets_db, instagram)) == SCRAPED
    assert instagram.ran.count(ProfileById(PK)) == 1
    assert blog(assets)["metrics"]["why"]["er"] == "no_followers"
