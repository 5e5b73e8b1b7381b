"""Hashtags and mentions of a caption, as whole tokens: ``@brand`` is not in ``@brand_kr``."""

import re
import unicodedata

from entity_pipeline.core.text.handles import Rejection, normalise_username

_LONGEST_TAG = 150
_MOST = 100
# An address may hold a fragment (``/#top``), and a text from a web page an entity (``&#39;``).
_HASH = re.compile(r"(?<![/&])#")
_MENTION = re.compile(r"(?<![\w.@\uff20])[@\uff20]([\w.]+)")
_NAME = re.compile(
    r"[a-z0-9_.\uff10-\uff19\uff21-\uff3a\uff3f\uff41-\uff5a\uff0e]+", re.ASCII | re.IGNORECASE
)
# Joiners and variation selectors within emoji and several scripts, and the skin colours.
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f\u20e3")
_SKINS = range(0x1F3FB, 0x1F400)


def hashtags(caption: str | None) -> list[str]:
    """The tags without ``#`` in their order, each once, in compatibility form (NFKC) and case-folded.

    Wider than Instagram's own pattern: full-width ``＃``, marks of Indic scripts, and emoji count too; ``#a-b`` is
    ``a``, and a tag may follow another without a space.
    """
    text = unicodedata.normalize("NFKC", caption or "")
    found = (_tag(text, match.end()) for match in _HASH.finditer(text))
    return list(dict.fromkeys(tag for tag in found if tag))[:_MOST]


def mentions(caption: str | None) -> list[str]:
    """The usernames that are mentioned, in their order, each once.

    A Korean particle may follow without a space. A name in which a letter only looks like an ASCII one is left out.
    """
    found = (_username(match[1]) for match in _MENTION.finditer(caption or ""))
    return list(dict.fromkeys(name for name in found if name is not None))[:_MOST]


def _tag(text: str, start: int) -> str:
    end = start
    while end < len(text) and _is_part(text[end]):
        end += 1
    tag = unicodedata.normalize("NFKC", text[start:end].casefold())
    return tag.strip("\u200c\u200d") if len(tag) <= _LONGEST_TAG else ""


def _is_part(character: str) -> bool:
    category = unicodedata.category(character)
    return (
        character == "_"
        or category[0] in "LMN"
        or category == "So"
        or character in _JOINERS
        or ord(character) in _SKINS
    )


def _username(run: str) -> str | None:
    found = normalise_username(run)
    if found is Rejection.BAD_CHARACTER:
        head = _NAME.match(run)
        found = normalise_username(head[0]) if head else found
    return None if isinstance(found, Rejection) else found
