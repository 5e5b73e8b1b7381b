"""When two spellings of a name are the same name.

`normalise_name` is authoritative. The SQL function `entity_pipeline_normalise_name` repeats it for an index and only
finds candidates: in alphabets that it does not know, it leaves capitals unchanged.
"""

import re
import unicodedata
from collections.abc import Iterable

_TRADE_MARKS = re.compile("[™℠]")  # NFKD would turn them into letters
_COMBINING_MARKS = re.compile("[\u0300-\u036f]")
_SEPARATORS = re.compile(r"[\s!-/:-@\[-`{-~‘’“”–—·・®©˚°]")


def normalise_name(text: str | None) -> str:
    """The form in which two spellings of one name are equal; ``""`` when it has nothing to compare.

    Width, case, accents, white space and punctuation don't count; a dakuten or a Hangul jamo does.
    """
    if not text:
        return ""
    unmarked = unicodedata.normalize("NFKD", _TRADE_MARKS.sub("", text))
    composed = unicodedata.normalize("NFKC", _COMBINING_MARKS.sub("", unmarked))
    # Letter by letter, because lower() of a whole word turns a final Greek Σ into another letter.
    return _SEPARATORS.sub("", "".join(letter.lower() for letter in composed))


def normalised(names: Iterable[str | None]) -> frozenset[str]:
    """The comparable forms of several names, without the empty ones."""
    return frozenset(form for form in map(normalise_name, names) if form)


def spellings(name: str) -> list[str]:
    """`name` in the letter cases under which a database that doesn't know its alphabet may still find it."""
    return list(dict.fromkeys((name, name.lower(), name.upper(), name.title())))
