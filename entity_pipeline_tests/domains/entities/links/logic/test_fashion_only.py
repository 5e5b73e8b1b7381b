import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import Candidates, Create, Hold
from entity_pipeline.domains.entities.links.logic.fashion_only import described_field, fashion_only
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import AccountRole, AccountType, Review, Verdict
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.cases import an_account


def verdict(account_type: AccountType, *claims: str, reasoning: str = "") -> Verdict:
    review = Review(
        name_en="Lumora",
        account_type=account_type,
        account_role=AccountRole.PRIMARY,
        confidence=0.99,
        reasoning=reasoning,
    )
    return Verdict(review, confidence=0.99, grounded=True, chunks=2, supported=True, claims=claims)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Lumora is a Korean eyewear brand.", "fashion"),
        ("Lumora is a French luxury fashion house that also sells perfume and make-up.", "fashion"),
        ("Lumora is a clothing chain with a beauty corner.", "fashion"),
        ("Lumora is a fragrance brand owned by a fashion group.", "beauty"),
        ("Lumora is a Korean skin care label.", "beauty"),
        ("Lumora sells luxury cosmetics.", "beauty"),
        ("Lumora is a cosmetics brand.", "beauty"),
        ("Lumora is a fashion magazine from Seoul.", "media"),
        ("Lumora is a news outlet.", "media"),
        ("Lumora makes smartphones and clothing for them.", "tech"),
        ("Lumora is a consumer electronics maker.", "tech"),
        ("Lumora is a character of an animation studio, seen on T-shirts and bags.", "character"),
        ("루모라는 한국의 화장품 브랜드입니다.", "beauty"),
        ("루모라는 패션 매거진이다.", "media"),
        ("루모라는 패션 브랜드로 화장품도 판매한다.", "fashion"),
        ("루모라는 캐릭터 브랜드이다.", "character"),
        ("Lumora is popular on social media.", None),
        ("Lumora is a brand from Korea.", None),
        ("", None),
    ],
)
def test_the_first_word_of_a_field_says_what_an_account_is(text: str, field: str | None) -> None:
    assert described_field([text]) == field


def test_a_supported_sentence_counts_before_the_models_reasoning() -> None:
    assert described_field(["Lumora is a cosmetics brand.", "Lumora is a fashion brand."]) == "beauty"
    assert described_field(["Lumora is from Seoul.", "Lumora is a fashion brand."]) == "fashion"


@pytest.mark.parametrize(
    "sentence",
    [
        "Lumora is a magazine.",
        "Lumora is a cosmetics brand.",
        "Lumora is a software company.",
        "Lumora is a character brand.",
    ],
)
def test_a_brand_of_another_field_is_other_whatever_the_model_calls_it(sentence: str) -> None:
    for described in (verdict(AccountType.BRAND, sentence), verdict(AccountType.BRAND, reasoning=sentence)):
        decision = decide(an_account(), described, Candidates(), EntitySettings())
        assert isinstance(decision, Hold)
        assert decision.reasons == (HoldReason.TYPE_OTHER,)
        assert decision.account is not None
        assert decision.account.account_type is AccountType.OTHER


def test_capitals_do_not_hide_a_field_and_only_the_beginning_of_a_long_text_is_read() -> None:
    assert described_field(["LUMORA IS A MAGAZINE."]) == "media"
    assert described_field(["x" * 1_991 + " magazine"]) == "media"
    assert described_field(["x" * 2_000 + " magazine"]) is None


def test_what_a_source_supports_counts_before_the_models_own_reasoning() -> None:
    described = verdict(
        AccountType.BRAND, "Lumora is a cosmetics brand.", reasoning="Lumora is a fashion brand."
    )
    assert fashion_only(described).review.account_type is AccountType.OTHER


def test_a_fashion_brand_and_one_without_a_description_stay_brands() -> None:
    for described in (
        verdict(AccountType.BRAND, "Lumora is a clothing brand."),
        verdict(AccountType.BRAND, reasoning="Official account."),
    ):
        assert isinstance(decide(an_account(), described, Candidates(), EntitySettings()), Create)


@pytest.mark.parametrize("account_type", [AccountType.ARTIST, AccountType.GROUP, AccountType.UNKNOWN])
def test_the_rule_concerns_brands_alone(account_type: AccountType) -> None:
    described = verdict(account_type, "Lumora is the face of a cosmetics brand.")
    assert fashion_only(described) == described


@given(st.lists(st.text(), max_size=5))
def test_no_text_raises(texts: list[str]) -> None:
    assert described_field(texts) in (None, "fashion", "media", "beauty", "tech", "character")
