"""A country in a model's words, English or Korean, as ISO 3166-1 alpha-2.

A bare ``NA`` may be Namibia or "not available". The prompt asks for null where a country is unknown, so it is read
as the code, noted as ``ambiguous_na``, and a brand with it is held for a person. As a region it counts as unknown,
because it may just as well mean North America.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache

from entity_pipeline.core.text.plain_text import one_line

UNKNOWN_WORDS = frozenset(
    "n/a|n.a.|n.a|n/a.|none|null|nil|unknown|unclear|undefined|unspecified|undetermined|not found|"
    "not available|not applicable|tbd|-|--|?|없음|해당 없음|해당없음|알 수 없음|알수없음|미상|불명".split("|")
)

_ALIASES: Mapping[str, str] = {
    "KR": "korea|republic of korea|korea republic of|korea south|s korea|rok|한국|남한|대한민국",
    "KP": "north korea|dprk|n korea|북한|조선",
    "US": "usa|us of a|america|united states of america|the states|미국|미합중국",
    "GB": "uk|britain|great britain|england|scotland|wales|northern ireland|영국|잉글랜드|스코틀랜드|웨일스",
    "CN": "mainland china|prc|중국|중화인민공화국",
    "TW": "taiwan|republic of china|대만|타이완",
    "HK": "hong kong sar|hongkong|홍콩",
    "MO": "macau|macao sar|macau sar|마카오",
    "TR": "turkey|turkiye|터키|튀르키예",
    "RU": "russia|러시아",
    "CZ": "czech republic|czechia|체코",
    "NL": "holland|the netherlands|네덜란드",
    "AE": "uae|emirates|아랍에미리트",
    "VN": "vietnam|viet nam|베트남|월남",
    "CI": "ivory coast",
    "CV": "cape verde",
    "SZ": "swaziland",
    "MM": "burma",
    "VA": "vatican",
    "GR": "el",  # the European Union's own code for Greece
    "AU": "호주|오스트레일리아",
    "DE": "독일",
    "IT": "이탈리아|이태리",
    "FR": "프랑스",
    "ES": "스페인|에스파냐",
    "JP": "일본",
}

# In lower case these are words, not codes.
_WORDS_NOT_CODES = frozenset("no is in it me to so at be by my".split())
_SEPARATORS = re.compile(r"[\s_,\-]+")
_CODE_REMARK = re.compile(r"\s*\([A-Za-z]{2,3}\)$")
_FLAG_BASE = 0x1F1E6


def read_countries(
    region: object, origin: object, *, is_regional: bool
) -> tuple[str | None, str | None, list[str]]:
    """Region and country of origin, with notes. Only a regional account has a region, and it must have one."""
    code, region_note = read_country(region)
    country, origin_note = read_country(origin)
    if region_note == "ambiguous_na":
        code = None
    if is_regional:
        role_note = None if code else "regional_without_region"
    else:
        code, role_note = None, "not_regional" if code else None
    noted = [("entity_region_code", region_note), ("entity_region_code", role_note)]
    noted.append(("country_of_origin", origin_note))
    return code, country, [f"{field}:{note}" for field, note in noted if note]


def read_country(value: object) -> tuple[str | None, str | None]:
    """(alpha-2 or None, note or None). Notes: ``ambiguous_na``, ``ambiguous_code``, ``unknown_country``."""
    if value is None or value is False:
        return None, None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        return None, "unknown_country"
    text = one_line(value, 80).strip(" .\"'")
    if not text or text.casefold() in UNKNOWN_WORDS:
        return None, None
    if text.casefold() == "na":
        return "NA" if text == "NA" else None, "ambiguous_na"
    if text in _WORDS_NOT_CODES:
        return None, "ambiguous_code"
    code = _lookup(_flag(text) or text)
    return (code, None) if code else (None, "unknown_country")


def _lookup(text: str) -> str | None:
    table = _countries()
    return table.get(_key(text)) or table.get(_key(_CODE_REMARK.sub("", text)))


def _flag(text: str) -> str | None:
    if len(text) == 2 and all(0 <= ord(letter) - _FLAG_BASE < 26 for letter in text):
        alpha_2 = "".join(chr(ord("A") + ord(letter) - _FLAG_BASE) for letter in text)
        return "namibia" if alpha_2 == "NA" else alpha_2
    return None


def _key(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("&", " and "))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    words = _SEPARATORS.sub(
        " ", unicodedata.normalize("NFC", bare).replace(".", "").replace("’", "'")
    ).strip()
    return words.removeprefix("the ")


@cache
def _countries() -> Mapping[str, str]:
    table: dict[str, str] = {}
    for code, line in _ALIASES.items():
        table.update({_key(alias): code for alias in line.split("|")})
    for name, code in _iso_names():
        table.setdefault(_key(name), code)
    del table["na"]
    return table


def _iso_names() -> Iterator[tuple[str, str]]:
    import gettext

    import pycountry

    korean: Callable[[str], str] = str
    # A package may come without its translations; the aliases still have the common Korean names.
    with suppress(OSError):
        korean = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["ko"]).gettext
    for country in pycountry.countries:
        fields = ("alpha_2", "alpha_3", "name", "common_name", "official_name")
        for name in filter(None, (getattr(country, field, None) for field in fields)):
            yield name, country.alpha_2
        yield korean(country.name), country.alpha_2
