"""The words of the pages in English and Korean: `texts/en.json` and `texts/ko.json` of the shell and of each page.

Both files of a package have the same keys and placeholders, which a test checks. Why something waits is a `Reason`,
whose words are beside the code that gives it (`core/reasons.py`) and are only looked up here.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

from fastapi import Request

from entity_pipeline.core.reasons import Language, Reason, sentence

LANGUAGES: Mapping[Language, str] = {"en": "English", "ko": "한국어"}
LANGUAGE_COOKIE = "admin_language"
SHELL = "entity_pipeline.admin"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSEEN = ("Cf", "Cc", "Cs", "Zl", "Zp")


class Texts:
    """The words of one language: ``texts("quota.used")``, ``texts("quota.of", cap="1,450")``.

    Args:
        language: which one.
        packages: whose texts are added to the shell's; the later one wins where two have the same key.
    """

    def __init__(self, language: Language, packages: Sequence[str] = ()) -> None:
        self.language = language
        self._known: dict[str, str] = {}
        for package in (SHELL, *packages):
            self._known |= catalogue(package, language)

    def __call__(self, key: str, **values: object) -> str:
        """The text with its placeholders filled. Raises KeyError for a key without a text."""
        return self._known[key].format(**values)

    def count(self, key: str, n: int, **values: object) -> str:
        """A text with a number ``{n}``; the singular is under ``key.one``."""
        return self(f"{key}.one" if n == 1 else key, n=number(n), **values)

    def name(self, group: str, value: str | None) -> str:
        """The name of a stored value, such as ``("state", "held")``; an unknown one is shown as stored."""
        if value is None:
            return self("none")
        return self._known.get(f"{group}.{value}", value.replace("_", " "))

    def known(self, key: str) -> str | None:
        """The text, or None when there is none with this key."""
        return self._known.get(key)

    def reason(self, reason: Reason) -> str:
        """A reason in words; a page's text ``said.<key>`` replaces one whose command would be the wrong advice."""
        own = self._known.get(f"said.{reason.key}")
        return own.format(**reason.values) if own is not None else sentence(reason, self.language)

    def day(self, day: date) -> str:
        """``Nov 21, 2026``, ``2026년 11월 21일``."""
        if self.language == "ko":
            return f"{day.year}년 {day.month}월 {day.day}일"
        return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"

    def moment(self, at: datetime) -> str:
        """An instant in its own zone to the minute: ``Nov 21, 2026, 05:33 UTC``, ``2026년 11월 21일 05:33 UTC``."""
        return f"{self.day(at)}{'' if self.language == 'ko' else ','} {at:%H:%M %Z}"


@cache
def texts_of(language: Language, package: str | None = None) -> Texts:
    """The texts of the shell, and those of a page's package over them."""
    return Texts(language, [package] if package else [])


def language_of(request: Request) -> Language:
    """The language in ``?lang``, else the one chosen before, else the browser's first known one."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        for language in LANGUAGES:
            if wanted == language:
                return language
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> Language:
    """The first known language: ``"de, ko;q=0.8, en;q=0.5"`` is Korean. Unreadable entries are ignored."""
    found: list[tuple[float, Language]] = []
    for part in header[:500].split(","):
        tag, _, quality = part.strip().partition(";q=")
        for language in LANGUAGES:
            if tag.partition("-")[0].strip().lower() == language:
                share = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 1.0
                found.append((-share, language))
    return min(found, key=lambda item: item[0])[1] if found else "en"


@cache
def catalogue(package: str, language: Language) -> Mapping[str, str]:
    """All texts of a package by key, without those of its reasons."""
    content = json.loads((files(package) / "texts" / f"{language}.json").read_text("utf-8"))
    return {key: text for key, text in content.items() if isinstance(text, str)}


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def visible(text: str) -> str:
    """`text` with invisible characters written out, because a name with a zero-width space is a different name."""
    return "".join(
        f"[U+{ord(letter):04X}]" if unicodedata.category(letter) in _UNSEEN else letter for letter in text
    )


def number(value: Any) -> str:
    """``1234`` as ``1,234`` and ``10.0`` as ``10``, the same in both languages."""
    return f"{value:,.10g}" if isinstance(value, float) else f"{value:,}"
