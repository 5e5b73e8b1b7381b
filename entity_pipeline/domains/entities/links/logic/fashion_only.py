"""The fashion-only rule: media, beauty, tech and character accounts are `other`, whatever type the model gives.

A model that calls a cosmetics house a "brand" still describes it as a cosmetics house in its sentences. The first word
of a field decides: "a luxury fashion house that also sells perfume" is fashion, "a fragrance brand owned by a fashion
group" is beauty, and "a fashion magazine" is a magazine.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from entity_pipeline.domains.entities.models import AccountType, Verdict

Field = Literal["fashion", "media", "beauty", "tech", "character"]

_WORDS: dict[Field, str] = {
    "fashion": "fashion clothing clothes cloth apparel garment garments footwear shoe shoes sneaker sneakers boots "
    "sportswear activewear streetwear menswear womenswear swimwear outerwear knitwear workwear kidswear eyewear "
    "sunglasses underwear lingerie hosiery denim jeans jewellery jewelry jeweller jeweler watch watches watchmaker "
    "handbag handbags bag bags luggage leather hat hats textile textiles couture luxury designer tailor accessories",
    "media": "magazine magazines newspaper newspapers newsletter broadcaster broadcasting publisher publication "
    "webzine tv television radio journalism journalist",
    "beauty": "beauty cosmetic cosmetics skincare haircare makeup perfume perfumes perfumery fragrance fragrances "
    "parfum nail nails salon salons spa dermatology",
    "tech": "technology software electronics smartphone smartphones semiconductor semiconductors telecom "
    "telecommunications computer computers laptop laptops appliance appliances hardware saas fintech",
    "character": "character characters mascot mascots cartoon cartoons animation anime emoticon emoticons webtoon",
}
# Korean words carry particles, so only the beginning of a word is compared.
_KOREAN: dict[Field, str] = {
    "fashion": "패션 의류 의상 신발 스니커즈 운동화 구두 가방 핸드백 주얼리 시계 안경 아이웨어 선글라스 "
    "스트리트웨어 속옷 모자 럭셔리 명품 잡화",
    "media": "잡지 매거진 신문 언론 방송 출판 미디어",
    "beauty": "화장품 뷰티 스킨케어 메이크업 코스메틱 향수 헤어케어 네일",
    "tech": "전자 스마트폰 소프트웨어 반도체 통신 테크 컴퓨터 가전",
    "character": "캐릭터 마스코트 애니메이션 이모티콘 웹툰",
}
_FIELDS: dict[str, Field] = {word: field for field, words in _WORDS.items() for word in words.split()}
_PREFIXES: dict[str, Field] = {word: field for field, words in _KOREAN.items() for word in words.split()}
# "skin care", "make-up" and "news outlet" count as one word; "social media" says nothing about an account.
_PHRASES = (
    (re.compile(r"social[ -]media", re.IGNORECASE), ""),
    (re.compile(r"skin[ -]care", re.IGNORECASE), "skincare"),
    (re.compile(r"hair[ -]care", re.IGNORECASE), "haircare"),
    (re.compile(r"make[ -]up", re.IGNORECASE), "makeup"),
    (
        re.compile(
            r"(?:media|news) (?:outlet|company|brand|platform|channel|site|group|agency)", re.IGNORECASE
        ),
        "magazine",
    ),
    (re.compile(r"mobile phones?|consumer tech", re.IGNORECASE), "smartphone"),
)
_TOKENS = re.compile(r"[^\W\d_]+|[,;.:()]")
_LONGEST_TEXT = 2_000


def fashion_only(verdict: Verdict) -> Verdict:
    """The verdict under the rule: a brand that the reply describes as belonging to another field is `other`."""
    review = verdict.review
    if review.account_type is not AccountType.BRAND:
        return verdict
    if described_field([*verdict.claims, review.reasoning]) in (None, "fashion"):
        return verdict
    return replace(verdict, review=review.model_copy(update={"account_type": AccountType.OTHER}))


def described_field(texts: Iterable[str]) -> Field | None:
    """The field that the first text naming one gives the account; None when none does."""
    return next((field for text in texts if (field := _first_field(text)) is not None), None)


def _first_field(text: str) -> Field | None:
    text = text[:_LONGEST_TEXT]
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    tokens = _TOKENS.findall(text.casefold())
    for position, token in enumerate(tokens):
        field = _field(token)
        if field == "fashion":
            # The noun that follows directly says what the account is: fashion magazine, luxury cosmetics.
            following = [_field(later) for later in tokens[position + 1 : position + 2]]
            return next((later for later in following if later is not None), field)
        if field is not None:
            return field
    return None


def _field(token: str) -> Field | None:
    found = _FIELDS.get(token)
    if found is not None or token.isascii():  # the prefixes are Korean
        return found
    return next((field for prefix, field in _PREFIXES.items() if token.startswith(prefix)), None)
