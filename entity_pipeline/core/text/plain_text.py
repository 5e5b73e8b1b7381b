"""Make other people's text safe to show, store and send. Only characters that a person can't see are removed.

Besides control, zero-width and bidi characters, these are lone surrogates (PostgreSQL refuses them), the invisible tag
characters and variation selectors that can smuggle instructions, and the blank Hangul fillers.
"""

import re
import unicodedata

_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_VARIATION_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_SPACE = re.compile(r"\s+")


def visible(text: str) -> str:
    """The text without invisible characters; line breaks and other white space become plain spaces."""
    return "".join(_visible_character(character) for character in text)


def one_line(text: str, limit: int) -> str:
    """Visible, composed (NFC), on one line, trimmed, and at most `limit` characters long."""
    head = text[: limit * 8 + 1_000]
    return _SPACE.sub(" ", unicodedata.normalize("NFC", visible(head))).strip()[:limit].rstrip()


def _visible_character(character: str) -> str:
    if " " <= character <= "~":
        return character
    if character.isspace():
        return " "
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _INVISIBLE_LETTERS:
        return ""
    point = ord(character)
    return "" if any(low <= point <= high for low, high in _VARIATION_SELECTORS) else character
