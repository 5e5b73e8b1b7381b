"""Hashtags and mentions as whole tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.text.handles import normalise_username
from entity_pipeline.domains.influencers.scraping.logic.tokens import hashtags, mentions


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (None, []),
        ("no tags", []),
        ("Sea #Jeju day", ["jeju"]),
        ("#서울맛집#카페", ["서울맛집", "카페"]),
        ("#Café and #CAFÉ", ["café"]),
        ("#Cafe\u0301", ["café"]),
        ("＃ｏｏｔｄ", ["ootd"]),
        ("＃맛집", ["맛집"]),
        ("#a-b", ["a"]),
        ("#a_b.c", ["a_b"]),
        ("#1", ["1"]),
        ("#", []),
        ("# alone", []),
        ("##twice", ["twice"]),
        ("#❤️", ["❤️"]),
        ("#love❤️ #👩‍👩‍👧 #👍🏽", ["love❤️", "👩‍👩‍👧", "👍🏽"]),
        ("#हिन्दी", ["हिन्दी"]),
        ("#STRASSE #straße", ["strasse"]),
        ("#ﬁt", ["fit"]),
        ("https://shop.example/#top", []),
        ("it&#39;s", []),
        (f"#{'x' * 150} #{'y' * 151}", ["x" * 150]),
        (" ".join(f"#t{nth}" for nth in range(200)), [f"t{nth}" for nth in range(100)]),
    ],
)
def test_hashtags(caption: str | None, expected: list[str]) -> None:
    assert hashtags(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (None, []),
        ("with @made.up.friend!", ["made.up.friend"]),
        ("@Brand and @brand", ["brand"]),
        ("@brand_kr", ["brand_kr"]),
        ("@brand와 함께", ["brand"]),
        ("（@brand.）", ["brand"]),
        ("＠ｂｒａｎｄ", ["brand"]),
        ("me@mail.example", []),
        ("@br\u0430nd", []),  # a Cyrillic letter
        ("@ſhop", []),
        ("@@brand", []),
        ("@", []),
        ("@explore", []),
        (f"@{'x' * 31}", []),
        ("@a @b,@c/@d", ["a", "b", "c", "d"]),
    ],
)
def test_mentions(caption: str | None, expected: list[str]) -> None:
    assert mentions(caption) == expected


@given(st.text(alphabet=st.sampled_from("#＃@＠ab_.-와é❤️\u200d1 \n")))
def test_tokens_are_what_they_are_looked_up_by(caption: str) -> None:
    for tag in hashtags(caption):
        assert hashtags(f"#{tag}") == [tag]
    for name in mentions(caption):
        assert normalise_username(name) == name
