"""Countries in the words of models. Namibia and unknown never mix."""

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.reviews.logic.countries import read_country


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (
            "KR|kr|KOR|Korea|South Korea|Republic of Korea|Korea, Republic of|대한민국|한국|🇰🇷|Korea (KR)",
            "KR",
        ),
        ("KP|North Korea|북한", "KP"),
        ("US|USA|U.S.|U.S.A.|United States|United States of America|the United States|미국", "US"),
        ("GB|UK|U.K.|GBR|United Kingdom|England|영국", "GB"),
        ("JP|JPN|Japan|일본", "JP"),
        ("TW|Taiwan|대만", "TW"),
        ("CI|Ivory Coast|Côte d'Ivoire|Côte d’Ivoire|Cote d'Ivoire", "CI"),
        ("TR|Turkey|Türkiye|TÜRKIYE|터키", "TR"),
        ("NAM|Namibia|namibia|나미비아|Republic of Namibia|Namibia (NA)|🇳🇦", "NA"),
    ],
)
def test_a_country_is_read_in_any_of_its_names(names: str, code: str) -> None:
    assert {name: read_country(name) for name in names.split("|")} == dict.fromkeys(
        names.split("|"), (code, None)
    )


def test_every_code_and_name_of_the_standard_is_its_country() -> None:
    for country in pycountry.countries:
        if country.alpha_2 != "NA":
            assert read_country(country.alpha_2) == (country.alpha_2, None)
        assert read_country(country.alpha_3) == (country.alpha_2, None)
        assert read_country(country.name) == (country.alpha_2, None)


@pytest.mark.parametrize(
    ("text", "code"), [("NA", "NA"), (" NA ", "NA"), ("NA.", "NA"), ("na", None), (" Na ", None)]
)
def test_a_bare_na_is_noted_and_only_the_code_itself_is_namibia(text: str, code: str | None) -> None:
    assert read_country(text) == (code, "ambiguous_na")


@pytest.mark.parametrize(
    "value", [None, False, "", "N/A", "n.a.", "null", "None", "Unknown", "not found", "-", "없음"]
)
def test_unknown_is_null(value: object) -> None:
    assert read_country(value) == (None, None)


@pytest.mark.parametrize(
    "value", ["XX", "NA (XX)", "EU", "Europe", "global", "KR, JP", ["KR", "JP"], {}, 82, True, "K" * 200]
)
def test_anything_but_a_country_is_null_with_a_note(value: object) -> None:
    assert read_country(value) == (None, "unknown_country")


def test_a_lower_case_no_is_not_norway() -> None:
    assert [read_country("no"), read_country("NO"), read_country(["kr"])] == [
        (None, "ambiguous_code"),
        ("NO", None),
        ("KR", None),
    ]


@given(st.text() | st.integers() | st.lists(st.text()))
def test_only_assigned_codes_come_out(value: object) -> None:
    code, _ = read_country(value)
    assert code is None or pycountry.countries.get(alpha_2=code) is not None
