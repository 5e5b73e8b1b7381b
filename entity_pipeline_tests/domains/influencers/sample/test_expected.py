"""The expected results, checked by hand for some bloggers."""

from collections import Counter
from datetime import UTC, datetime

from entity_pipeline.domains.influencers.sample.expected import (
    expected_blogs,
    expected_discoveries,
    expected_questions,
    expected_statuses,
    naive_requests_of,
    page_of,
    requests_of,
)
from entity_pipeline.domains.influencers.sample.truth import bloggers

DAY = datetime(2026, 11, 30, tzinfo=UTC)


def test_measures_are_those_of_facts_44_to_46_by_hand() -> None:
    blogs = expected_blogs(DAY)
    plain = blogs[
        "moon.rabbit.map.madeup"
    ]  # 33,800 followers; an ordinary post has 1,690 likes and comments and one
    assert (plain.er, plain.er_reels, plain.er_trend, plain.posts_per_week) == (5.0, 5.0, "stable", 2.0)
    assert blogs["zimniy.beg.madeup"].posts_per_week == 10.0  # the page spans 13.3 days: 7 x 19 / 13.3
    assert blogs["sokdak.cafe.madeup"].posts_per_week == 1.0  # four posts in 28 days
    assert blogs["namu.and.momo.madeup"].er_trend == "growing"
    assert blogs["gaon.market.madeup"].er_trend == "declining"


def test_hidden_likes_and_few_posts_give_no_measure() -> None:
    blogs = expected_blogs(DAY)
    assert (blogs["baram.fit.madeup"].er, blogs["baram.fit.madeup"].hidden) == (None, 20)
    assert blogs["soyul.skin.madeup"].hidden == 10
    assert blogs["soyul.skin.madeup"].er == 2.4
    few = blogs["three.posts.only.madeup"]
    assert (few.posts, few.er, few.er_trend) == (3, None, None)


def test_a_shared_post_belongs_to_both_pages() -> None:
    page = page_of(bloggers()["paper.comet.madeup"], DAY)
    assert len(page) == 20
    assert [post.coauthors for post in page if post.coauthors] == [("paper.comet.madeup",)]


def test_a_scrape_of_20_posts_and_7_highlights_takes_5_requests_where_40_are_usual() -> None:
    blogger = bloggers()["dalbit.bakery.madeup"]
    assert (requests_of(blogger, DAY), naive_requests_of(blogger, DAY)) == (5, 40)


def test_every_blog_is_counted_once() -> None:
    assert expected_statuses(DAY) == Counter(active=55, deleted=2, private=1, pending=1)
    assert expected_questions() == Counter(settled=57, unknown=3, failed=1)


def test_people_in_a_hashtag_are_known_refused_or_added() -> None:
    assert expected_discoveries() == {
        "달토끼맛집": {"posts": 25, "people": 16, "known": 4, "refused": 2, "added": 10},
        "тюльпанныйгород": {"posts": 27, "people": 19, "known": 5, "refused": 3, "added": 11},
    }
