"""The names of a review."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.reviews.logic.reviewed_names import MAX_NAME, has_hangul, read_names


@pytest.mark.parametrize(
    ("given_names", "expected", "notes"),
    [
        (("Gentle Monster", "젠틀몬스터"), ("Gentle Monster", "젠틀몬스터"), ()),
        (("  Gentle\n Monster\u200b ", "\u1100\u1161"), ("Gentle Monster", "가"), ()),
        (("Gentle Monster [cite: 1, 2]", "젠틀몬스터 [1]"), ("Gentle Monster", "젠틀몬스터"), ()),
        (("Gentle Monster (젠틀몬스터)", "젠틀몬스터(Gentle Monster)"), ("Gentle Monster", "젠틀몬스터"), ()),
        (("LE SERAPHX / 르세라핌엑스", None), ("LE SERAPHX", None), ()),
        (("LE SERAPHX | 르세라핌엑스", "르세라핌엑스 · LE SERAPHX"), ("LE SERAPHX", "르세라핌엑스"), ()),
        (("LE SERAPHX [르세라핌엑스]", "르세라핌엑스, LE SERAPHX"), ("LE SERAPHX", "르세라핌엑스"), ()),
        (("AC/DC", "무신사 STANDARD"), ("AC/DC", "무신사 STANDARD"), ()),
        (("젠틀몬스터 (Gentle Monster)", None), ("Gentle Monster", None), ()),
        (("i-dle ((여자)아이들)", None), ("i-dle ((여자)아이들)", None), ()),
        (("A (B)", None), ("A (B)", None), ()),
        ((None, "Gentle Monster"), ("Gentle Monster", None), ("name_ko:no_hangul",)),
        (("Gap", "Gentle Monster"), ("Gap", None), ("name_ko:no_hangul",)),
        (("젠틀몬스터", None), (None, "젠틀몬스터"), ("name_en:only_hangul",)),
        (("젠틀몬스터", "나이키"), (None, "나이키"), ("name_en:only_hangul",)),
        (("null", "없음"), (None, None), ()),
        (("N/A", "NA"), (None, None), ()),
        (("Unknown", ""), (None, None), ()),
        (("a" * (MAX_NAME + 1), None), (None, None), ("name_en:too_long",)),
        (("https://example.org", "!!!"), (None, None), ("name_en:not_a_name", "name_ko:not_a_name")),
        ((5, ["젠틀몬스터"]), (None, None), ("name_en:not_text", "name_ko:not_text")),
        (("361°", None), ("361°", None), ()),
        (("<script>alert(1)</script> Brand", None), (None, None), ("name_en:not_a_name",)),
        (('{"a": 1}', None), (None, None), ("name_en:not_a_name",)),
        (("@brand.kr", None), (None, None), ("name_en:not_a_name",)),
        (("A|X Armani Exchange", None), ("A|X Armani Exchange", None), ()),
        (("=LOVE", None), ("=LOVE", None), ()),
        (("Рrаdа", None), (None, None), ("name_en:look_alike",)),
        (("Prαda Milano", None), (None, None), ("name_en:look_alike",)),
        (("Прада Prada", None), ("Прада Prada", None), ()),
        (("Z" + "\u0301" * 40 + "ara", None), (None, None), ("name_en:not_a_name",)),
        (("Été Nữ Hoàng", None), ("Été Nữ Hoàng", None), ()),
    ],
)
def test_names_are_cleaned_moved_or_dropped(
    given_names: tuple[object, object], expected: tuple[str | None, str | None], notes: tuple[str, ...]
) -> None:
    assert read_names(*given_names) == (*expected, notes)


values = st.none() | st.text() | st.text(alphabet="가나()Aa [1]") | st.integers()


@given(values, values)
def test_a_korean_name_always_holds_hangul(name_en: object, name_ko: object) -> None:
    english, korean, _ = read_names(name_en, name_ko)
    assert korean is None or (has_hangul(korean) and len(korean) <= MAX_NAME)
    assert english is None or 0 < len(english) <= MAX_NAME
