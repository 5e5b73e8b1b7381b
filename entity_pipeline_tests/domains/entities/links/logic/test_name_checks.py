from uuid import UUID

import pytest

from entity_pipeline.domains.entities.links.logic.name_checks import (
    Membership,
    NamedEntity,
    NameFinding,
    check_pair,
    consonants,
    in_several_groups,
    look_the_same,
    same_in_two_scripts,
)
from entity_pipeline.domains.entities.models import EntityTable

ARTISTS, BRANDS, GROUPS = EntityTable.ARTISTS, EntityTable.BRANDS, EntityTable.GROUPS


def entity(
    table: EntityTable, en: str | None, ko: str | None = None, *, number: int = 1, account: bool = False
) -> NamedEntity:
    return NamedEntity(table, UUID(int=number), en, ko, account)


@pytest.mark.parametrize(
    ("table", "en", "ko"),
    [
        (ARTISTS, "IU", "아이유"),
        (BRANDS, "Gentle Monster", "젠틀몬스터"),
        (GROUPS, "NewJeans", "뉴진스"),
        (GROUPS, "BTS", "방탄소년단"),  # an abbreviation
        (GROUPS, "GFRIEND", "여자친구"),  # a translation
        (GROUPS, "Girls' Generation", "소녀시대"),
        (GROUPS, "TVXQ!", "동방신기"),
        (GROUPS, "NCT", "엔시티"),  # letter names
        (BRANDS, "Comme des Garçons", "꼼데가르송"),
        (BRANDS, "Lotte Department Store", "롯데백화점"),  # half a translation
        (BRANDS, "MUJI", "무인양품"),
        (BRANDS, "H&M", "에이치앤엠"),
        (BRANDS, "Levi's", "리바이스"),
        (BRANDS, "Nike", "나이키"),
        (ARTISTS, "Rain", "비"),
        (ARTISTS, "Park Seo-joon", "박서준"),
        (ARTISTS, "Wonyoung", "장원영"),  # the given name alone
        (ARTISTS, "Bae Suzy", "배수지"),
        (ARTISTS, "Jay Park", "박재범"),  # an English given name
        (ARTISTS, "Jung Kook", "정국"),
        (ARTISTS, "Red Velvet", None),
        (ARTISTS, None, "아이유"),
    ],
)
def test_names_that_fit_or_can_not_be_judged_are_not_reported(
    table: EntityTable, en: str | None, ko: str | None
) -> None:
    assert check_pair(entity(table, en, ko)) is None


@pytest.mark.parametrize(
    ("table", "en", "ko", "finding"),
    [
        (BRANDS, "젠틀몬스터", None, NameFinding.WRONG_SCRIPT),
        (BRANDS, "Gentle Monster", "GENTLE MONSTER", NameFinding.WRONG_SCRIPT),
        (BRANDS, "Gentle Monster", "아디다스 코리아", NameFinding.DIFFERENT_NAMES),
        (GROUPS, "LE SSERAFIM", "스트레이 키즈", NameFinding.DIFFERENT_NAMES),
        (BRANDS, "Chanel", "노스페이스", NameFinding.DIFFERENT_NAMES),
        (ARTISTS, "Lee Ji-eun", "아이유", NameFinding.STAGE_AND_LEGAL_NAME),
        (ARTISTS, "Ashley", "최빛나", NameFinding.STAGE_AND_LEGAL_NAME),
        (ARTISTS, "SUGA", "민윤기", NameFinding.STAGE_AND_LEGAL_NAME),
    ],
)
def test_names_that_can_be_told_apart_are_found(
    table: EntityTable, en: str | None, ko: str | None, finding: NameFinding
) -> None:
    assert check_pair(entity(table, en, ko)) is finding


def test_stage_and_legal_names_are_a_matter_of_artists_only() -> None:
    assert check_pair(entity(BRANDS, "Ashley", "최빛나")) is None


@pytest.mark.parametrize(
    "pair", [("Gentle Monster", "젠틀몬스터"), ("COVERNAT", "커버낫"), ("Burberry", "버버리")]
)
def test_a_transliteration_has_the_consonants_of_its_original(pair: tuple[str, str]) -> None:
    assert consonants(pair[0]) == consonants(pair[1])


def test_every_finding_says_why_and_what_to_do() -> None:
    sentences = [(finding.why, finding.what_to_do) for finding in NameFinding]
    assert all(why.endswith(".") and what.endswith(".") for why, what in sentences)
    assert len(set(sentences)) == len(NameFinding)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (entity(BRANDS, "MUSINSA"), entity(BRANDS, "musinsa", "무신사"), True),
        (entity(BRANDS, "Musinsa", "무신사"), entity(BRANDS, "무신사"), True),
        (entity(BRANDS, "Musinsa", "무신사"), entity(BRANDS, "Musinsa", "무신사 스탠다드"), False),
        (entity(BRANDS, "Musinsa"), entity(BRANDS, "Muji"), False),
        (entity(BRANDS, None, None), entity(BRANDS, None, None), False),
        (entity(ARTISTS, "Miso", account=True), entity(ARTISTS, "Miso", account=True), False),
        (entity(ARTISTS, "Miso", account=True), entity(ARTISTS, "Miso"), True),
        (entity(BRANDS, "Miso", account=True), entity(BRANDS, "Miso", account=True), True),
    ],
)
def test_two_entities_look_the_same_when_they_share_a_name_and_differ_in_none(
    one: NamedEntity, other: NamedEntity, same: bool
) -> None:
    assert look_the_same(one, other) is same
    assert look_the_same(other, one) is same


def test_an_english_name_finds_its_korean_spelling_in_another_row_of_its_table() -> None:
    english, korean = entity(BRANDS, "Gentle Monster"), entity(BRANDS, None, "젠틀몬스터", number=2)
    others = [entity(GROUPS, None, "젠틀몬스터", number=3), entity(BRANDS, None, "아디다스", number=4)]
    (found,) = same_in_two_scripts([english, korean, *others])
    assert (found.entity, found.others) == (english, (korean,))


def test_thousands_of_names_in_a_series_are_not_compared_with_each_other() -> None:
    english = [entity(BRANDS, f"Brand {nth}", number=nth) for nth in range(1, 3_000)]
    korean = [entity(BRANDS, None, f"브랜드 {nth}", number=10_000 + nth) for nth in range(3_000)]
    assert list(same_in_two_scripts(english + korean)) == []


def test_a_person_in_two_groups_is_found_and_one_in_parts_of_a_group_is_not() -> None:
    person, other = entity(ARTISTS, "Mina", number=1), entity(ARTISTS, "Chen", number=2)
    exo, cbx, twice = (
        entity(GROUPS, name, number=number) for number, name in enumerate(("EXO", "EXO-CBX", "TWICE"), 10)
    )
    rows = [
        Membership(person, exo),
        Membership(person, twice),
        Membership(other, exo),
        Membership(other, cbx),
    ]
    (found,) = in_several_groups(rows)
    assert (found.entity, found.others) == (person, (exo, twice))
