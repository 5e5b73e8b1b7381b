"""What sentences say an account is."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.language.described import Subject, described
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline_tests.domains.entities import judgement

FIELDS = Path(judgement.__file__).with_name("fields.csv")


def is_fashion(sentence: str) -> bool:
    found = described(sentence)
    return found.defined is Subject.FASHION or (found.defined is None and Subject.FASHION in found.mentions)


def _judged() -> list[tuple[str, bool]]:
    with FIELDS.open(encoding="utf-8", newline="") as lines:
        return [(row["sentence"], row["fashion_brand"] == "true") for row in csv.DictReader(lines)]


@pytest.mark.parametrize(("sentence", "expected"), _judged())
def test_a_judged_sentence_is_read_as_people_read_it(sentence: str, expected: bool) -> None:
    assert is_fashion(sentence) is expected


@pytest.mark.parametrize(
    ("sentence", "subject"),
    [
        ("Lumora is a Korean eyewear brand.", Subject.FASHION),
        ("Lumora is a French luxury fashion house that also sells perfume and make-up.", Subject.FASHION),
        ("Lumora is a clothing chain with a beauty corner.", Subject.FASHION),
        ("Lumora is a fragrance brand owned by a fashion group.", Subject.BEAUTY),
        ("Lumora is a Korean skin care label.", Subject.BEAUTY),
        ("Lumora sells luxury cosmetics.", Subject.BEAUTY),
        ("Lumora is a fashion magazine from Seoul.", Subject.MEDIA),
        ("Lumora makes smartphones and clothing for them.", Subject.TECHNOLOGY),
        ("Lumora is a consumer electronics maker.", Subject.TECHNOLOGY),
        ("Lumora is a character of an animation studio, seen on T-shirts and bags.", Subject.CHARACTER),
        ("루모라는 한국의 화장품 브랜드입니다.", Subject.BEAUTY),
        ("루모라는 패션 매거진이다.", Subject.MEDIA),
        ("루모라는 패션 브랜드로 화장품도 판매한다.", Subject.FASHION),
        ("무신사는 대한민국의 패션 전자상거래 기업이다.", Subject.FASHION),
        ("Lumora is popular on social media.", None),
        ("Lumora is a brand from Korea.", None),
        ("Lumora, featured in Vogue magazine for its knitwear, is a Seoul label.", Subject.FASHION),
        ("Diesel S.p.A. is an Italian retail clothing company.", Subject.FASHION),
        ("Zara is a Spanish fast-fashion retailer.", Subject.FASHION),
        ("Uniqlo is a Japanese casual wear designer and retailer.", Subject.FASHION),
        ("Nudake는 디저트 브랜드입니다.", Subject.FOOD),
        ("Mercedes-Benz is a German luxury car brand.", Subject.CARS),
        ("Jung Ho-yeon is a South Korean model and actress known for Squid Game.", Subject.PERSON),
        ("아이유는 대한민국의 가수이다.", Subject.PERSON),
        ("aespa is a South Korean girl group formed by SM Entertainment.", Subject.GROUP),
        ("르세라핌은 대한민국의 걸그룹이다.", Subject.GROUP),
        ("", None),
    ],
)
def test_a_sentence_calls_its_subject_something(sentence: str, subject: Subject | None) -> None:
    assert described(sentence).defined is subject


def test_short_descriptions_that_others_wrote_are_nearly_all_understood() -> None:
    """The sample's companies are described in the words of a public index of shops and brands."""
    wrong = proven = brands = 0
    for account in load_truth().values():
        phrase = account.evidence.rpartition("::")[2].strip()
        if account.type not in ("brand", "other") or not phrase:
            continue
        found = is_fashion(f"{account.name_en} is a {phrase}.")
        brands += account.type == "brand"
        proven += found and account.type == "brand"
        wrong += found and account.type == "other"
    assert (wrong, brands > 200, proven / brands > 0.9) == (0, True, True)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert described(text).defined in (None, *Subject)
