import html

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.language.same_name import normalise_name, normalised, spellings

CASES = [
    ("Gentle Monster", "gentlemonster"),
    ("  GENTLE-MONSTER™ ", "gentlemonster"),
    ("Nike℠", "nike"),
    ("A.P.C.", "apc"),
    ("Comme des Garçons", "commedesgarcons"),
    ("Hermès", "hermes"),
    ("CELINE / Céline", "celineceline"),
    ("İstanbul", "istanbul"),
    ("STRAẞE", "strasse"),
    ("ØRSTED", "orsted"),
    ("ΑΣ", "ασ"),
    ("ДОМ МОДЫ", "доммоды"),
    ("Ｆｕｌｌ　Ｗｉｄｔｈ", "fullwidth"),
    ("젠틀 몬스터", "젠틀몬스터"),
    ("젠틀몬스터", "젠틀몬스터"),
    ("ガーデン・エクスプレス", "ガーデンエクスプレス"),
    ("ｶﾞｰﾃﾞﾝ", "ガーデン"),
    ("山本耀司", "山本耀司"),
    ("rock’n’roll “x” – y — z", "rocknrollxyz"),
    ("®©˚°·", ""),
    ("!!!", ""),
    ("+82", "82"),
    ("", ""),
    ("\t\n\u00a0\u2003\u3000", ""),
]


@pytest.mark.parametrize(("text", "form"), CASES)
def test_spellings_of_one_name_have_one_form(text: str, form: str) -> None:
    assert normalise_name(text) == form


def test_a_missing_name_has_the_empty_form() -> None:
    assert normalise_name(None) == ""


@pytest.mark.parametrize(
    ("one", "other"), [("カキ", "ガキ"), ("가", "각"), ("Nike", "Nikes"), ("ハハ", "パパ")]
)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert normalise_name(one) != normalise_name(other)


def test_names_without_anything_to_compare_drop_out_of_a_set() -> None:
    assert normalised(["Nike", "NIKE!", "!!!", None, ""]) == {"nike"}


@given(st.text(max_size=20))
@example("Ａ́ ᾳ")
def test_a_form_holds_no_white_space_or_ascii_punctuation(text: str) -> None:
    form = normalise_name(text)
    assert not any(letter.isspace() for letter in form)
    assert not any(letter.isascii() and not letter.isalnum() and letter.isprintable() for letter in form)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=30))
def test_case_never_matters_in_ascii(text: str) -> None:
    assume(all(html.unescape(spelling) == spelling for spelling in spellings(text)))  # &GT; but not &Gt;
    assert {normalise_name(spelling) for spelling in spellings(text)} == {normalise_name(text)}
