"""Hashtags as people write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.hashtag_top import HashtagTop
from entity_pipeline.domains.influencers.discovery.logic.hashtags import LONGEST, hashtag_or_none
from entity_pipeline.resources.instagram.operations.hashtag_node import refuses

DECOMPOSED = unicodedata.normalize("NFD", "뷰티")


@pytest.mark.parametrize(
    ("raw", "hashtag"),
    [
        ("seoul", "seoul"),
        ("#Seoul", "seoul"),
        (" ##seoul\n", "seoul"),
        ("\uff03서울", "서울"),
        (DECOMPOSED, "뷰티"),
        ("straße", "straße"),
        ("k_beauty2026", "k_beauty2026"),
        ("https://www.instagram.com/explore/tags/Seoul/?hl=en", "seoul"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), None),
        ("", None),
        ("#", None),
        ("two words", None),
        ("a/b", None),
        ("a#b", None),
        ("a-b", None),
        ("a\u200bb", None),
    ],
)
def test_a_hashtag_is_read_in_any_spelling(raw: str, hashtag: str | None) -> None:
    assert hashtag_or_none(raw) == hashtag


@given(st.text())
def test_a_hashtag_is_its_own_spelling_and_may_be_asked_for(raw: str) -> None:
    hashtag = hashtag_or_none(raw)
    if hashtag is not None:
        assert hashtag_or_none(hashtag) == hashtag
        assert refuses(HashtagTop(hashtag)) is None
