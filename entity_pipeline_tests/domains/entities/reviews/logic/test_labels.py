"""Types and roles in the words of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.reviews.logic.labels import read_role, read_type


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "brand BRAND Fashion_Brand fashion-retailer AccountType.BRAND brand(fashion) 브랜드 패션_브랜드",
            "brand",
        ),
        ("artist Singer solo_artist group_member actor person 아티스트 가수 배우 아이돌", "artist"),
        ("group idol_group K-pop_group boy-band Duo 그룹 걸그룹 밴드", "group"),
        (
            "other Magazine beauty_brand tech_company character restaurant politician 기타 뷰티 매거진",
            "other",
        ),
        ("unknown N/A null 미상 -", "unknown"),
    ],
)
def test_a_type_is_read_in_any_of_its_words(words: str, expected: str) -> None:
    assert {read_type(word.replace("_", " ")) for word in words.split()} == {(AccountType(expected), None)}
    assert {read_type(word) for word in words.split()} == {(AccountType(expected), None)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("primary Main OFFICIAL official_account global 공식 공식_계정 메인 본계정", "primary"),
        ("secondary sub sub-account 보조 서브 부계정", "secondary"),
        ("regional Regional_Account local country-specific 지역 지역_계정", "regional"),
        ("unknown none 알수없음", "unknown"),
    ],
)
def test_a_role_is_read_in_any_of_its_words(words: str, expected: str) -> None:
    assert {read_role(word) for word in words.split()} == {(AccountRole(expected), None)}


@pytest.mark.parametrize("value", [None, "", "  ", "\u200b"])
def test_no_value_is_unknown_without_a_note(value: object) -> None:
    assert read_type(value) == (AccountType.UNKNOWN, None)


@pytest.mark.parametrize(
    "value", ["brand or artist", "brand/other", "<b>", 1, True, {}, ["brand", "group"], "b" * 500]
)
def test_any_other_value_is_unknown_with_a_note(value: object) -> None:
    assert read_type(value) == (AccountType.UNKNOWN, "unknown_label")


@given(st.text() | st.integers() | st.lists(st.text()))
def test_no_value_raises(value: object) -> None:
    assert read_type(value)[0] in AccountType
    assert read_role(value)[0] in AccountRole
