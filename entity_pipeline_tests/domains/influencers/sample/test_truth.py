"""The sample has what the demo promises to show, and its parts agree with one another."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.domains.influencers.discovery.logic.hashtags import hashtag_or_none
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS
from entity_pipeline.domains.influencers.sample.gemini_answers import FACTS
from entity_pipeline.domains.influencers.sample.scripts import caption, simulated_accounts, top_posts
from entity_pipeline.domains.influencers.sample.truth import (
    HASHTAGS,
    Blogger,
    beginning,
    bloggers,
    captions,
)

ALL = list(bloggers().values())
DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _names(rows: list[Blogger]) -> list[str]:
    return [row.username for row in rows]


@pytest.mark.parametrize("blogger", ALL, ids=lambda one: one.username)
def test_no_person_of_the_sample_exists(blogger: Blogger) -> None:
    assert blogger.username.endswith(".madeup")
    assert handle_or_none(blogger.username) == blogger.username


def test_no_account_of_another_sample_has_the_same_name() -> None:
    assert bloggers().keys() & load_truth().keys() == set()


def test_at_least_forty_blogs_in_four_languages_are_scraped() -> None:
    scraped = Counter(one.language for one in ALL if one.is_scraped)
    assert scraped.total() >= 40
    assert all(scraped[language] >= 7 for language in ("ko", "ru", "kk", "en"))


def test_every_trouble_that_the_demo_shows_is_there() -> None:
    assert {one.instagram for one in ALL} == {"", "private", "not_found"}
    assert {word for one in ALL for word in one.instagram_bad} == {
        "",
        "rate_limited",
        "server_error",
        "wall",
        "empty",
    }
    assert {one.gemini for one in ALL} == {
        *("", "safety", "unreadable", "unreadable_once", "ungrounded", "wrong_posts", "unknown_topic"),
        *("missing_once", "doubled_once", "broken_once", "foreign_once", "error_once"),
    }
    assert {one.highlights for one in ALL} == {0, 1, 7}
    assert {one.hidden for one in ALL} == {"none", "half", "all"}
    assert {one.trend for one in ALL} == {"stable", "growing", "declining"}
    assert any(one.collab for one in ALL)
    assert any(one.pinned for one in ALL)


def test_texts_of_strangers_are_hostile() -> None:
    texts = " ".join(one.biography for one in ALL)
    assert all(sign in texts for sign in ("\0", "\u202e", "\u200b", "<script>", "Ignore all previous", '{"'))
    with_markup = bloggers()["medovik.list.madeup"]
    assert "<script>" in str(caption(with_markup, 3))


def test_a_renamed_account_keeps_its_id_and_a_stranger_may_have_its_name() -> None:
    accounts = {account.username: account for account in simulated_accounts(DAY)}
    former = [one for one in ALL if one.former]
    assert len(former) == 3
    strangers = [one.former for one in former if one.former in accounts]
    assert strangers == ["aruzhan.madeup", "yoon.name.madeup"]
    for one in former:
        assert one.former is not None
        stranger = accounts.get(one.former)
        assert accounts[one.username].id == one.pk
        assert stranger is None or stranger.id != one.pk


def test_both_hashtags_have_about_25_top_posts_of_known_new_and_refused_people() -> None:
    begins = {one.username: one.begins for one in ALL}
    for tag, posts in top_posts().items():
        assert hashtag_or_none(f"#{tag.upper()}") == tag
        assert 23 <= len(posts) <= 30
        assert len(set(posts)) == len(posts)
        assert {begins[username] for username, _ in posts} >= {"hand", "tag", "refused"}
        without = [post for post in posts if f"#{tag}" not in (caption(bloggers()[post[0]], post[1]) or "")]
        assert 2 <= len(without) <= 4


def test_everyone_whom_a_tag_brings_stands_in_one() -> None:
    found = {username for posts in top_posts().values() for username, _ in posts}
    assert set(_names(list(beginning("tag", "refused")))) <= found


def test_every_caption_and_fact_has_its_words_in_each_language() -> None:
    for one in ALL:
        assert captions()["topics"][one.language][one.topic]
        assert set(one.facts) <= captions()["facts"][one.language].keys()


def test_a_fact_supports_statements_that_exist() -> None:
    paths = {path for statements in FACTS.values() for path in statements}
    assert {
        group for group, name in (path.split(".") for path in paths) if name in GROUPS[group].model_fields
    } == {path.partition(".")[0] for path in paths}


def test_two_processes_on_one_day_show_the_same_posts() -> None:
    morning = list(simulated_accounts(DAY.replace(hour=1)))
    assert morning == list(simulated_accounts(DAY.replace(hour=22)))
    assert morning != list(simulated_accounts(DAY.replace(day=29)))


def test_the_hashtags_are_one_korean_and_one_cyrillic() -> None:
    assert HASHTAGS == {"ko": "달토끼맛집", "ru": "тюльпанныйгород"}
