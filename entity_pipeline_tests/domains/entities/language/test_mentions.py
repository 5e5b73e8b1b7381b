"""When a sentence names an account."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.language.mentions import naming


@pytest.mark.parametrize(
    ("sentence", "names", "expected"),
    [
        ("The site links to @some.handle_1.", [], True),
        ("See instagram.com/Some.Handle_1/ for more.", [], True),
        ("some.handle_12 is another account.", [], False),
        ("the.some.handle_1 is another account.", [], False),
        ("some.handle_1.shop is another account.", [], False),
        ("Gap is a retailer.", ["Gap"], True),
        ("GAP's stores are many.", ["Gap"], True),
        ("The gaps are many.", ["Gap"], False),
        ("Agap is something else.", ["Gap"], False),
        ("Gap은 미국의 브랜드이다.", ["Gap"], True),
        ("**Gap** was founded in 1969.", ["Gap"], True),
        ("Levi’s makes jeans.", ["Levi's"], True),
        ("H&M is a retailer.", ["H&M"], True),
        ("A.P.C. was founded in Paris.", ["A.P.C."], True),
        ("Celine is a house.", ["Céline"], True),
        ("GentleMonster and Gentle-Monster.", ["Gentle Monster"], True),
        ("A gentle person met a monster.", ["Gentle Monster"], False),
        ("젠틀몬스터는 브랜드이다.", ["젠틀몬스터"], True),
        ("젠틀 몬스터의 매장.", ["젠틀몬스터"], True),
        ("브랜드 젠틀몬스터", ["젠틀몬스터"], True),
        (
            "\u110c\u1166\u11ab\u1110\u1173\u11af\u1106\u1169\u11ab\u1109\u1173\u1110\u1165 매장",
            ["젠틀몬스터"],
            True,
        ),
        ("나이키코리아는 지사이다.", ["나이키"], False),
        ("신나이키는 다른 브랜드이다.", ["나이키"], False),
        ("아이유입니다.", ["아이유"], True),
        ("비는 가수이다.", ["비"], False),
        ("Q is a letter.", ["Q"], False),
        ("Anything at all.", ["", None, "--", " "], False),
        # A name inside somebody else's handle or address names somebody else.
        ("@gentlemonster_korea is a shop.", ["Gentlemonster"], False),
        ("gentlemonster.korea is a shop.", ["Gentlemonster"], False),
        ("@the_gentlemonster is a fan.", ["Gentlemonster"], False),
        ("the.gentlemonster is a fan.", ["Gentlemonster"], False),
        ("@Gentlemonster is another account.", ["Gentlemonster"], False),
        ("_Gentlemonster_ is a brand.", ["Gentlemonster"], True),
        ("This is Gentlemonster.", ["Gentlemonster"], True),
        ("브랜드 Gentlemonster이다.", ["Gentlemonster"], True),
        # Short names are words as well; a capital tells them apart.
        ("There is a gap in the market.", ["Gap"], False),
        ("A week based on fashion.", ["On"], False),
        ("A week on fashion, by On.", ["On"], True),
        ("Fashion is a field.", ["IS"], False),
        ("ÉTÉ is French for summer.", ["Été"], True),
        ("A gap, then the Gap.", ["Gap"], True),
    ],
)
def test_a_sentence_names_the_account(sentence: str, names: list[str | None], expected: bool) -> None:
    assert naming("some.handle_1", names)(sentence) is expected


@pytest.mark.parametrize(
    ("sentence", "handle", "expected"),
    [
        ("There is a gap in the market.", "gap", False),
        ("The account is @gap.", "gap", True),
        ("It is at instagram.com/gap now.", "gap", True),
        ("Gap is a retailer.", "gap", True),
        ("The account is gap_kr or gap.kr.", "gap", False),
        ("nike is a brand.", "nike", True),
        ("The account is a_1.", "a_1", True),
    ],
)
def test_a_short_handle_that_is_a_word_stands_with_a_mark_or_a_capital(
    sentence: str, handle: str, expected: bool
) -> None:
    assert naming(handle, [])(sentence) is expected


def test_hyphens_without_end_do_not_keep_the_matching_busy() -> None:
    # Each of the hyphens in the name could stand for any in the sentence: more ways than there is time.
    name = "a " + "- " * 50 + "b"
    assert not naming("x", [name])("a" + "-" * 1_900 + "c")
    assert naming("x", [name])("There is A---B.")


@given(name=st.text(max_size=30), sentence=st.text(max_size=60))
def test_any_name_and_sentence_can_be_compared(name: str, sentence: str) -> None:
    assert naming("ab", [name])(sentence) in (True, False)


@given(name=st.text(alphabet=st.characters(categories=["Lu", "Ll"]), min_size=4, max_size=20).map(str.title))
@example("Next")
def test_a_name_standing_by_itself_is_found(name: str) -> None:
    assert naming("", [name])(f"It is {name} who did it.")
