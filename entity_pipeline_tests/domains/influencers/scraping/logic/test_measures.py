"""The measures by tables: which posts count, which formula, and why one is unknown."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.influencers.scraping import METRICS_VERSION
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures, PostFigures, measure

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
_PKS = count(1)


def at(days: float, likes: int | None = 90, **fields: Any) -> PostFigures:
    """A post so many days old, with ten comments."""
    values = {
        "comments": 10,
        "plays": None,
        "likes_hidden": likes is None,
        "is_reel": False,
        "is_pinned": False,
    }
    return PostFigures(pk=next(_PKS), taken_at=NOW - timedelta(days=days), likes=likes, **(values | fields))


def reel(days: float, likes: int | None = 90, plays: int | None = 1_000) -> PostFigures:
    return at(days, likes, is_reel=True, plays=plays)


def taken(posts: Sequence[PostFigures], followers: int | None = 1_000) -> Measures:
    return measure(posts, followers, NOW)


def why(measures: Measures) -> dict[str, str]:
    found: dict[str, str] = measures.metrics["why"]
    return found


FIVE = [at(days) for days in range(2, 7)]


@pytest.mark.parametrize(
    ("posts", "followers", "er", "reason"),
    [
        pytest.param(FIVE, 1_000, "10.00", None, id="five posts"),
        pytest.param(FIVE[:4], 1_000, None, "too_few_posts", id="four posts"),
        pytest.param([], 1_000, None, "too_few_posts", id="no posts"),
        pytest.param(FIVE, 0, None, "no_followers", id="no followers"),
        pytest.param(FIVE, None, None, "no_followers", id="followers are not shown"),
        pytest.param([*FIVE[:4], at(1.9)], 1_000, None, "too_few_posts", id="too young"),
        pytest.param([*FIVE[:4], at(90)], 1_000, "10.00", None, id="ninety days"),
        pytest.param([*FIVE[:4], at(90.1)], 1_000, None, "too_few_posts", id="too old"),
        pytest.param([*FIVE[:4], at(9, is_pinned=True)], 1_000, None, "too_few_posts", id="pinned"),
        pytest.param([*FIVE[:4], at(9, None)], 1_000, None, "likes_hidden", id="hidden likes are not 0"),
        pytest.param(
            [*FIVE[:4], at(9, comments=None)], 1_000, None, "too_few_posts", id="unknown comments are not 0"
        ),
        pytest.param([*FIVE, at(9, None)], 1_000, "10.00", None, id="hidden beside five"),
        pytest.param([*FIVE, at(9, 100_000)], 1_000, "10.00", None, id="one that went viral"),
        pytest.param(
            [*FIVE[:3], at(9, 190), at(9, 190), at(9, 190)], 1_000, "15.00", None, id="even: between both"
        ),
        pytest.param(FIVE, 1, "999.99", None, id="capped"),
        pytest.param(FIVE, 3_000, "3.33", None, id="rounded down"),
        pytest.param(FIVE, 1_600, "6.25", None, id="exact"),
        pytest.param(FIVE, 16_000, "0.63", None, id="half is rounded up"),
        pytest.param(
            [at(days, 0, comments=0) for days in range(2, 7)], 1_000, "0.00", None, id="nothing is 0"
        ),
    ],
)
def test_er(posts: list[PostFigures], followers: int | None, er: str | None, reason: str | None) -> None:
    found = taken(posts, followers)
    assert (found.er, why(found).get("er")) == (Decimal(er) if er else None, reason)


def test_er_reels_counts_reels_alone() -> None:
    found = taken([*(reel(days, 190) for days in range(2, 7)), *FIVE])
    assert (found.er, found.er_reels, found.metrics["n"], found.metrics["n_reels"]) == (
        Decimal("15.00"),
        Decimal("20.00"),
        10,
        5,
    )


@pytest.mark.parametrize(
    ("posts", "reason"),
    [
        ([reel(days) for days in range(2, 6)], "too_few_posts"),
        ([*(reel(days) for days in range(2, 6)), reel(9, None)], "likes_hidden"),
        ([*(reel(days) for days in range(2, 6)), at(9, None)], "too_few_posts"),
    ],
)
def test_er_reels_is_unknown_for_a_reason(posts: list[PostFigures], reason: str) -> None:
    found = taken(posts)
    assert (found.er_reels, why(found)["er_reels"]) == (None, reason)


@pytest.mark.parametrize(
    ("plays", "er_views"),
    [
        ([1_000] * 5, 10.0),
        ([1_000] * 4 + [None], None),
        ([1_000] * 4 + [0], None),
        ([1_000] * 5 + [None], 10.0),
    ],
)
def test_er_views_needs_plays_that_are_known(plays: list[int | None], er_views: float | None) -> None:
    found = taken([reel(2 + nth, plays=one) for nth, one in enumerate(plays)])
    assert found.metrics["er_views"] == er_views


def halves(newer: Sequence[int], older: Sequence[int]) -> list[PostFigures]:
    """Posts by their likes and comments, newest first."""
    return [at(2 + nth, one, comments=0) for nth, one in enumerate([*newer, *older])]


@pytest.mark.parametrize(
    ("posts", "trend", "reason"),
    [
        pytest.param(halves([116] * 4, [100] * 4), "growing", None, id="more"),
        pytest.param(halves([115] * 4, [100] * 4), "stable", None, id="not yet growing"),
        pytest.param(halves([87] * 4, [100] * 4), "stable", None, id="not yet declining"),
        pytest.param(halves([86] * 4, [100] * 4), "declining", None, id="less"),
        pytest.param(halves([200] * 4, [100] * 3), None, "too_few_posts", id="seven posts"),
        pytest.param(
            halves([200] * 4, [100, 100, 100, 100, 100]), "growing", None, id="the odd one is older"
        ),
        pytest.param(halves([100] * 4, [0] * 4), None, "no_engagement_before", id="nothing before"),
        pytest.param(halves([9_999, 100, 100, 100], [100] * 4), "stable", None, id="one that went viral"),
    ],
)
def test_er_trend(posts: list[PostFigures], trend: str | None, reason: str | None) -> None:
    for order in (posts, posts[::-1]):
        found = taken(order)
        assert (found.er_trend, why(found).get("er_trend")) == (trend, reason)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param([1, 8, 15, 22, 29], "1.00", id="reaches back: posts of 28 days"),
        pytest.param([1, 2, 28], "0.50", id="reaches back to the day"),
        pytest.param([40, 50], "0.00", id="silent for 28 days"),
        pytest.param([1, 2, 3, 4], "7.00", id="daily, over the days of the page"),
        pytest.param([0, 14], "0.50", id="two posts"),
        pytest.param([5], None, id="one post"),
        pytest.param([5, 5], None, id="at one moment"),
        pytest.param([], None, id="none"),
        pytest.param([1, 1 + 1 / 86_400], "999.99", id="capped"),
    ],
)
def test_posts_per_week(days: list[float], expected: str | None) -> None:
    found = taken([at(one) for one in days])
    assert found.posts_per_week == (Decimal(expected) if expected else None)
    assert (why(found).get("posts_per_week") is None) == (expected is not None)


def test_a_pin_of_years_ago_does_not_stretch_the_span() -> None:
    assert taken([at(1), at(2), at(900, is_pinned=True)]).posts_per_week == Decimal("7.00")


def test_posts_with_hidden_likes_count_for_the_rhythm() -> None:
    assert taken([at(1, None), at(2, None)]).posts_per_week == Decimal("7.00")


def test_the_measures_say_what_they_rest_on() -> None:
    pinned, hidden, young = at(9, is_pinned=True), at(10, None), at(1)
    found = taken([*FIVE, pinned, hidden, young])
    assert {name: value for name, value in found.metrics.items() if name not in ("why", "page")} == {
        "version": METRICS_VERSION,
        "at": "2026-11-30T12:00:00+00:00",
        "followers": 1_000,
        "window_days": [2, 90],
        "n": 5,
        "n_reels": 0,
        "pinned": 1,
        "likes_hidden": 1,
        "er_views": None,
    }
    assert found.metrics["page"] == [str(one.pk) for one in (*FIVE, pinned, hidden, young)]


_POSTS = st.lists(
    st.builds(
        at,
        st.floats(0, 200),
        st.none() | st.integers(0, 10**9),
        comments=st.none() | st.integers(0, 10**9),
        plays=st.none() | st.integers(0, 10**9),
        is_reel=st.booleans(),
        is_pinned=st.booleans(),
    ),
    max_size=25,
)


@given(_POSTS, st.none() | st.integers(0, 10**9), st.randoms())
def test_measures_fit_their_columns_and_know_no_order(
    posts: list[PostFigures], followers: int | None, chance: Any
) -> None:
    found = taken(posts, followers)
    for value in (found.er, found.er_reels, found.posts_per_week):
        assert value is None or 0 <= value <= Decimal("999.99")
    for name in ("er", "er_reels", "er_trend", "posts_per_week"):
        assert (getattr(found, name) is None) == (name in why(found))
    chance.shuffle(posts)
    again = taken(posts, followers)
    assert (again.er, again.er_reels, again.posts_per_week) == (
        found.er,
        found.er_reels,
        found.posts_per_week,
    )
    assert why(again) == why(found)
