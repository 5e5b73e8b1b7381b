"""The model's words for types and roles. A word that is not in these tables is unknown, with a note.

On purpose, a *beauty brand* or a *tech brand* is `other` here: only fashion makes a brand, whatever the word.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import TypeVar

from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.models import AccountRole, AccountType, EntityField

_UNKNOWN_WORDS = "unknown|unclear|undetermined|unspecified|none|null|n/a|na|-|?|알 수 없음|알수없음|미상|불명"

_TYPE_WORDS: Mapping[AccountType, str] = {
    AccountType.BRAND: (
        "brand|fashion brand|clothing brand|apparel brand|luxury fashion brand|streetwear brand|"
        "sportswear brand|footwear brand|shoe brand|bag brand|eyewear brand|jewelry brand|"
        "jewellery brand|accessory brand|accessories brand|fashion label|clothing label|fashion house|"
        "fashion retailer|clothing retailer|fashion store|fashion designer brand|designer brand|브랜드|"
        "패션 브랜드|패션브랜드|의류 브랜드|의류브랜드|신발 브랜드|가방 브랜드|디자이너 브랜드|"
        "패션 리테일러|패션 편집숍|패션"
    ),
    AccountType.ARTIST: (
        "artist|solo artist|singer|soloist|musician|rapper|actor|actress|idol|model|group member|"
        "idol member|person|celebrity|아티스트|가수|솔로 가수|배우|래퍼|모델|아이돌|아이돌 멤버|"
        "그룹 멤버|인물|연예인"
    ),
    AccountType.GROUP: (
        "group|idol group|boy group|girl group|boyband|boy band|girl band|band|music group|k pop group|"
        "kpop group|duo|그룹|아이돌 그룹|아이돌그룹|보이그룹|보이 그룹|걸그룹|걸 그룹|밴드|듀오"
    ),
    AccountType.OTHER: (
        "other|others|media|magazine|fashion magazine|publication|news|publisher|beauty|beauty brand|"
        "cosmetics|cosmetics brand|cosmetic brand|skincare brand|makeup brand|fragrance brand|tech|"
        "technology|tech company|tech brand|technology company|electronics brand|character|"
        "character brand|ip|ip owner|restaurant|cafe|food brand|hotel|company|agency|record label|label|"
        "politician|government|public body|organization|organisation|event|fan account|fan page|"
        "sports team|sports club|influencer|place|source|기타|그 외|매거진|잡지|미디어|언론|뷰티|"
        "뷰티 브랜드|화장품|화장품 브랜드|코스메틱|테크|기술 기업|캐릭터|레스토랑|식당|카페|정치인|"
        "기획사|소속사|팬 계정"
    ),
    AccountType.UNKNOWN: _UNKNOWN_WORDS,
}

_ROLE_WORDS: Mapping[AccountRole, str] = {
    AccountRole.PRIMARY: (
        "primary|main|official|official main|main official|primary official|official primary|global|"
        "global official|official global|global main|공식|메인|대표|본|주|기본|글로벌|공식 메인|"
        "메인 공식|공식 글로벌|글로벌 공식"
    ),
    AccountRole.SECONDARY: (
        "secondary|sub|sub brand|sub line|subsidiary|additional|second|side|alternate|alt|보조|서브|부|"
        "부계|부차|세컨드|세컨"
    ),
    AccountRole.REGIONAL: (
        "regional|region|regional official|official regional|local|country|country specific|"
        "country official|official country|지역|지역별|지역 공식|공식 지역|국가|국가별|현지|지사"
    ),
    AccountRole.UNKNOWN: _UNKNOWN_WORDS,
}

_FIELD_WORDS: Mapping[EntityField, str] = {
    EntityField.CLOTHING: "fashion|apparel|clothes|의류|패션|spa",
    EntityField.SHOES_BAGS_ACCESSORIES: "shoes|footwear|bags|accessories|fashion accessories|신발|가방|잡화",
    EntityField.EYEWEAR_JEWELLERY_WATCHES: "eyewear|jewellery|jewelry|watches|안경|아이웨어|주얼리|시계",
    EntityField.FASHION_RETAILER: "retailer|retail|clothing retailer|select shop|편집숍",
    EntityField.BEAUTY: "cosmetics|skincare|fragrance|perfume|뷰티|화장품|향수",
    EntityField.MEDIA: "magazine|news|press|잡지|매거진|미디어",
    EntityField.TECHNOLOGY: "tech|electronics|software|테크|전자",
    EntityField.CHARACTER: "character ip|character/ip|ip|캐릭터",
    EntityField.FOOD: "food and beverage|restaurant|cafe|beverages|식품|카페",
    EntityField.CARS: "car|automotive|automobile|자동차",
    EntityField.HOSPITALITY: "hotel|hotels|travel|호텔",
    EntityField.HOME: "furniture|homeware|interior|lifestyle|가구",
    EntityField.SPORTS: "sport|스포츠",
    EntityField.MUSIC: "singer|k pop|kpop|음악|가요",
    EntityField.ACTING: "film|tv|acting and film|연기|배우",
    EntityField.MODELLING: "modeling|model|fashion model|모델",
    EntityField.ENTERTAINMENT: "agency|record label|event|events|엔터테인먼트",
    EntityField.OTHER: "others|기타",
    EntityField.UNKNOWN: _UNKNOWN_WORDS,
}

_Label = TypeVar("_Label", AccountType, AccountRole, EntityField)
_SEPARATORS = re.compile(r"[\s_\-]+")
_REMARK = re.compile(r"\s*[(（\[][^)）\]]*[)）\]]\s*$")
_NOISE = re.compile(r"(?: ?(?:account|계정|타입|유형|type|role|역할))$")


def read_labels(account_type: object, role: object) -> tuple[AccountType, AccountRole, list[str]]:
    """Type, role, and notes such as ``account_type:unknown_label`` for an unknown word."""
    known_type, type_note = read_type(account_type)
    known_role, role_note = read_role(role)
    notes = [("account_type", type_note), ("account_role", role_note)]
    return known_type, known_role, [f"{field}:{note}" for field, note in notes if note]


def read_type(value: object) -> tuple[AccountType, str | None]:
    """The type, and ``unknown_label`` for an unknown word."""
    return _read(value, _TYPES, AccountType.UNKNOWN)


def read_role(value: object) -> tuple[AccountRole, str | None]:
    """The role, and ``unknown_label`` for an unknown word."""
    return _read(value, _ROLES, AccountRole.UNKNOWN)


def read_field(value: object) -> tuple[EntityField | None, str | None]:
    """The field, None where there is none, and ``unknown_label`` if the word is not one we know."""
    return (None, None) if value is None else _read(value, _FIELDS, EntityField.UNKNOWN)


def _read(value: object, table: Mapping[str, _Label], unknown: _Label) -> tuple[_Label, str | None]:
    if value is None:
        return unknown, None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        return unknown, "unknown_label"
    word = _word(value)
    if not word:
        return unknown, None
    for spelling in (word, _NOISE.sub("", word), _NOISE.sub("", _REMARK.sub("", word))):
        if spelling in table:
            return table[spelling], None
    return unknown, "unknown_label"


def _word(text: str) -> str:
    folded = unicodedata.normalize("NFKC", one_line(text, 80)).casefold().strip(" .\"'`*")
    folded = folded.rsplit(".", 1)[-1] if folded.startswith(("accounttype.", "accountrole.")) else folded
    return folded if folded == "-" else _SEPARATORS.sub(" ", folded).strip()


def _table(words: Mapping[_Label, str]) -> dict[str, _Label]:
    return {word: label for label, line in words.items() for word in line.split("|")}


_TYPES = _table(_TYPE_WORDS)
_ROLES = _table(_ROLE_WORDS)
_FIELDS = {field.value.replace("_", " "): field for field in EntityField} | _table(_FIELD_WORDS)
