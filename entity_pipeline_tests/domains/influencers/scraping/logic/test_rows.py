"""The rows for posts and highlights; what is stored of them is in `test_scrape.py`."""

from datetime import UTC, datetime

import pytest

from entity_pipeline.core.instagram.highlights import Highlight, HighlightStories, Story
from entity_pipeline.core.instagram.post import NamedUser, Place
from entity_pipeline.core.instagram.reels import Reel
from entity_pipeline.domains.influencers.scraping.logic.highlight_rows import (
    StoriesRow,
    TrayRow,
    stories_row,
    tray_row,
)
from entity_pipeline.domains.influencers.scraping.logic.post_rows import plays_of, post_row
from entity_pipeline_tests.domains.influencers.scraping.blogger import NAME, PK, post

BRAND = NamedUser(77, "made.up.brand")
NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        ({"likes_hidden": True, "like_count": 3}, "like_count", None),
        ({"like_count": None}, "like_count", None),
        ({"like_count": 0}, "like_count", 0),
        ({"play_count": None}, "plays_known", False),
        ({"play_count": 0}, "plays_known", True),
        ({"pinned_by": (77, PK)}, "is_pinned", True),
        ({"pinned_by": (77,)}, "is_pinned", False),
        ({"pinned_reel_by": (PK,)}, "is_pinned", False),
        ({"owner": BRAND, "coauthors": (NamedUser(PK, NAME),)}, "coauthors", [77]),
        ({"coauthors": (BRAND, BRAND, NamedUser(None, "x"))}, "coauthors", [77]),
        ({"owner": None}, "coauthors", []),
        ({"sponsors": (BRAND, NamedUser(78, None))}, "sponsors", ["made.up.brand", "78"]),
        ({"location": None}, "location_name", None),
        ({"location": Place(None, "Beach")}, "location_lat", None),
        ({"caption": None}, "mentions", []),
        ({"kind": None}, "media_type", None),
        ({"comment_count": None}, "comment_count", None),
    ],
)
def test_a_post_row(fields: dict[str, object], column: str, expected: object) -> None:
    assert getattr(post_row(post(1, **fields), PK), column) == expected


def test_only_reels_are_reels_for_the_measures() -> None:
    assert post_row(post(3), PK).figures.is_reel
    assert not post_row(post(3, product_type="feed"), PK).figures.is_reel
    assert not post_row(post(3, product_type=None), PK).figures.is_reel


def test_plays_that_the_tab_does_not_show_stay_unknown() -> None:
    assert plays_of([Reel(1, "A", 7), Reel(2, "B"), Reel(3, "C", 0)]) == {1: 7, 3: 0}


def test_a_tray_row() -> None:
    assert tray_row(Highlight(5, "Trip", 3, "https://x.example/c.jpg", NOW)) == TrayRow(
        5, "Trip", 3, "https://x.example/c.jpg"
    )


def test_stories_name_each_value_once_and_nothing_that_they_do_not_say() -> None:
    told = Story(
        1, NOW, mentions=(BRAND, NamedUser(78, None)), links=("https://a.example",), places=(Place(1, None),)
    )
    again = Story(2, NOW, mentions=(BRAND,), links=("https://a.example",), places=(Place(2, "Beach"),))
    assert stories_row(HighlightStories(5, None, (told, again, Story(3, NOW)))) == StoriesRow(
        5, ["made.up.brand", "78"], ["1", "Beach"], ["https://a.example"]
    )
