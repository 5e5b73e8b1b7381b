"""What people and collectors write for an Instagram account: its username, or the reason why it is not one.

Plain NFKC is never used: it turns a long s into ``s`` and the Kelvin sign into ``k``, which is another account. Only
full-width ASCII is mapped; every other letter that looks like an ASCII one is rejected.
"""

import re
import unicodedata
from enum import Enum
from typing import Final, NewType

Username = NewType("Username", str)
"""1 to 30 of ``a-z 0-9 _ .``; no leading, trailing or double dot; not a path of instagram.com itself."""


class Rejection(Enum):
    """Why a value is not a username. Not a str, so that a reason can't pass for a username."""

    NOT_A_STRING = "not_a_string"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    BAD_CHARACTER = "bad_character"
    LOOK_ALIKE = "look_alike"
    BAD_DOTS = "bad_dots"
    RESERVED_PATH = "reserved_path"
    FOREIGN_HOST = "foreign_host"


MAX_LENGTH: Final = 30
_MAX_RAW_LENGTH: Final = 2_048

_HOSTS = frozenset(
    f"{prefix}{host}" for host in ("instagram.com", "instagr.am") for prefix in ("", "www.", "m.")
)
_RESERVED = frozenset(
    "_n _u about accounts ajax api challenge developer direct directory emails explore graphql igtv legal "
    "login logout nametag oauth p privacy reel reels static stories terms tv web".split()
)
# Some of these names are real accounts, so they are refused only where the address continues after them.
_RESERVED_WITH_MORE = frozenset(
    "ar c channel create developers download invites j lite locations popular press qr s session share tags "
    "topics".split()
)

_CLEAN = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.ASCII)
_is_clean = _CLEAN.fullmatch
_NO_NAMES = _RESERVED | _HOSTS
_ALPHABET = re.compile(r"[a-z0-9_.]+", re.ASCII)

_SPACE = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_BEFORE = _SPACE + "@\"'([{</\u2018\u201c\u00ab\u300c\u300e\u3010\u300a"
_AFTER = (
    _SPACE + ".,;:!?\"')]}>/\u2019\u201d\u00bb\u300d\u300f\u3011\u300b\u3001\u3002\uff61\uff64\u060c\u061b"
)

_FULL_WIDTH: dict[int, int | None] = {point: point - 0xFEE0 for point in range(0xFF01, 0xFF5F)}
_INVISIBLE: dict[int, int | None] = dict.fromkeys(
    [
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
    ]
)
_FOLD = _FULL_WIDTH | _INVISIBLE
_ALPHABETS_LIKE_OURS = ("LATIN", "CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU", "DESERET")


def normalise_username(raw: object) -> Username | Rejection:
    """The username that `raw` names, lower-case, or the reason why it names none. Never raises.

    Takes a handle with or without ``@`` and with punctuation behind it, a profile, story or post address of
    instagram.com or instagr.am, and the path forms ``_u/x`` and ``stories/x/``. Every result maps to itself.
    """
    if type(raw) is str:
        text = raw
    elif issubclass(type(raw), str):
        text = str.__str__(raw)
    else:
        return Rejection.NOT_A_STRING
    # This runs millions of times: calling Username, which does nothing, would take a tenth of the time.
    if len(text) <= MAX_LENGTH and _is_clean(text) and text not in _NO_NAMES:
        return text  # type: ignore[return-value]
    return _from_spelling(text)


def handle_or_none(raw: object) -> Username | None:
    """The same where the reason does not matter."""
    found = normalise_username(raw)
    return None if isinstance(found, Rejection) else found


def _from_spelling(text: str) -> Username | Rejection:
    if len(text) > _MAX_RAW_LENGTH:
        return Rejection.TOO_LONG
    if not text.isascii():
        text = text.translate(_FOLD)
    text = text.strip(_SPACE)
    if "/" in text:
        found = _name_in_address(text)
        if isinstance(found, Rejection):
            return found
        text = found
    text = text.lstrip(_BEFORE).rstrip(_AFTER)
    return _checked(text)


def _checked(text: str) -> Username | Rejection:
    if not text:
        return Rejection.EMPTY
    if not text.isascii():
        return Rejection.LOOK_ALIKE if any(map(_looks_like_ascii, text)) else Rejection.BAD_CHARACTER
    # Not earlier, because lower() turns the Kelvin sign into an ASCII k.
    text = text.lower()
    if not _ALPHABET.fullmatch(text):
        return Rejection.BAD_CHARACTER
    if len(text) > MAX_LENGTH:
        return Rejection.TOO_LONG
    if text in _HOSTS:
        return Rejection.EMPTY
    if not _CLEAN.fullmatch(text):
        return Rejection.BAD_DOTS
    return Rejection.RESERVED_PATH if text in _RESERVED else Username(text)


def _name_in_address(text: str) -> str | Rejection:
    scheme, is_absolute, rest = text.lstrip(_BEFORE.replace("/", "")).partition("://")
    if not is_absolute:
        rest = scheme
    elif scheme.lower() not in ("http", "https"):
        return Rejection.FOREIGN_HOST
    has_host = bool(is_absolute) or rest.startswith("//")
    segments = [segment for segment in re.split(r"[?#]", rest, maxsplit=1)[0].split("/") if segment]
    if not segments:
        return Rejection.EMPTY
    first = segments[0].lower()
    if first.removesuffix(":443").removesuffix(":80") in _HOSTS:
        return _name_in_path(segments[1:])
    if has_host or ("." in first and len(segments) > 1):
        return Rejection.FOREIGN_HOST
    if len(segments) > 1 and first not in _RESERVED:
        return Rejection.BAD_CHARACTER
    return _name_in_path(segments)


def _name_in_path(segments: list[str]) -> str | Rejection:
    if not segments:
        return Rejection.EMPTY
    first, more = segments[0].lower(), segments[1:]
    if first in ("_u", "stories") and more:
        is_highlight = first == "stories" and more[0].lower() == "highlights"
        return Rejection.RESERVED_PATH if is_highlight else more[0]
    if first in _RESERVED or (more and first in _RESERVED_WITH_MORE):
        return Rejection.RESERVED_PATH
    return segments[0]


def _looks_like_ascii(character: str) -> bool:
    if character.isascii():
        return False
    base = unicodedata.normalize("NFKD", character)[:1]
    if base.isascii() and base.isalnum():
        return True
    name = unicodedata.name(character, "")
    return name.startswith(_ALPHABETS_LIKE_OURS) or unicodedata.category(character) == "Mn"
