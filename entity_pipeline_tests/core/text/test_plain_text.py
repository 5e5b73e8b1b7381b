"""Making other people's text safe."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.text.plain_text import one_line, visible


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  two\n\nwords\t", "two words"),
        ("a\u200bb\u200dc\ufeffd", "abcd"),
        ("a\u202eb\u2066c", "abc"),
        ("a\x00b\x1bc", "abc"),
        ("a\ud800b", "ab"),
        ("\U000e0041\U000e0042ok\ufe0f\U000e0100", "ok"),
        ("ㅤ\u115f가", "가"),
        ("\u1112\u1161\u11ab", "한"),
        ("한국 🇰🇷 é", "한국 🇰🇷 é"),
        ("abcdef", "abcde"),
    ],
)
def test_invisible_characters_are_removed(raw: str, clean: str) -> None:
    assert one_line(raw, 11 if len(clean) > 5 else max(len(clean), 1)) == clean


@given(st.text(), st.integers(1, 50))
def test_the_result_is_short_and_can_be_stored(raw: str, limit: int) -> None:
    clean = one_line(raw, limit)
    assert len(clean) <= limit
    assert "\x00" not in clean
    clean.encode("utf-8")


@given(st.text())
def test_no_format_or_control_character_is_left(raw: str) -> None:
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs") for character in visible(raw))
