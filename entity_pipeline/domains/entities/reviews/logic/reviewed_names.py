"""The two names of a review. A value that can't be the name in its script is moved or dropped, with a note.

A name that is too long is dropped and not cut, because a cut name would be published as a real one.
"""

import re

from entity_pipeline.core.text.json_block import without_citations
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.reviews.logic.countries import UNKNOWN_WORDS

MAX_NAME = 120

_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]")
_TWO_SCRIPTS = re.compile(
    r"(?P<first>[^()（）\[\]/|·,]+?)\s*(?:[(（\[]\s*(?P<inner>[^()（）\[\]]+?)\s*[)）\]]|[/|·,]\s*(?P<after>[^()（）\[\]/|·,]+))"
)
# Markup, code, addresses, handles, and letters with many combining marks.
_NEVER_IN_A_NAME = re.compile(r"[<>{}\\]|://|^@|[\u0300-\u036f]{3}")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_LIKE_LATIN = re.compile("[\u0370-\u052f]")  # Greek and Cyrillic
_NUMBERED_MARK = re.compile(r"\s*\[\d{1,3}(?:, ?\d{1,3})*\]$")


def has_hangul(text: str) -> bool:
    """Whether the (composed) text has at least one Hangul syllable or letter."""
    return _HANGUL.search(text) is not None


def read_names(name_en: object, name_ko: object) -> tuple[str | None, str | None, tuple[str, ...]]:
    """(name_en, name_ko, notes). name_ko always holds Hangul; name_en only beside other letters."""
    notes: list[str] = []
    english = _read(name_en, "name_en", notes)
    korean = _read(name_ko, "name_ko", notes)
    if english is not None:
        english = _part(english, hangul=False)
    if korean is not None:
        korean = _part(korean, hangul=True)
    if korean is not None and not has_hangul(korean):
        notes.append("name_ko:no_hangul")
        english, korean = english or korean, None
    if english is not None and has_hangul(english) and not re.search("[a-z]", english, re.IGNORECASE):
        notes.append("name_en:only_hangul")
        english, korean = None, korean or english
    return english, korean, tuple(notes)


def _read(value: object, field: str, notes: list[str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        notes.append(f"{field}:not_text")
        return None
    name = _NUMBERED_MARK.sub("", one_line(without_citations(value[:2_000]), 1_000)).strip(" \"'`*")
    if not name or name.casefold() in UNKNOWN_WORDS or name.casefold() == "na":
        return None
    if len(name) > MAX_NAME:
        notes.append(f"{field}:too_long")
        return None
    if _NEVER_IN_A_NAME.search(name) or not any(letter.isalnum() for letter in name):
        notes.append(f"{field}:not_a_name")
        return None
    if _mixes_alphabets(name):
        notes.append(f"{field}:look_alike")
        return None
    return name


def _mixes_alphabets(name: str) -> bool:
    """Whether a word mixes Latin letters with look-alikes, as in a name made to deceive."""
    return any(_LATIN.search(word) and _LIKE_LATIN.search(word) for word in name.split())


def _part(name: str, *, hangul: bool) -> str:
    """The part of ``Gentle Monster (젠틀몬스터)`` in the wanted script; any other name unchanged."""
    match = _TWO_SCRIPTS.fullmatch(name)
    if match is None:
        return name
    parts = [part.strip() for part in match.groups() if part]
    if has_hangul(parts[0]) == has_hangul(parts[1]):
        return name
    return next(part for part in parts if has_hangul(part) == hangul)
