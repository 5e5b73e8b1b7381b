"""Finding and reading the JSON block of a model's reply, with bounded work whatever the text.

A fence only shows where an object starts. Its end is found by counting braces outside strings, because a quoted bio
inside the object may hold a fence of its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from entity_pipeline.core.jsonb import nests_too_deep


class Contradiction(Enum):
    """Replaces a value; it has a type that no field takes, so every reader rejects it."""

    SAID_TWICE = "said_twice"


CONTRADICTED: Final = Contradiction.SAID_TWICE

MAX_DEPTH = 16
_MAX_BROKEN_STARTS = 8  # each costs one pass over the text
_MAX_BLOCKS = 64

_OPENING = re.compile(
    r"```[ \t]*[\w+-]{0,20}[ \t]{0,40}\n?[ \t\u200b\ufeff]{0,40}(?P<list>\[\s{0,40})?(?P<fenced>\{)?"
    r"|(?P<bare>\{)(?=\s*[\"}])"
)
_NEXT_IN_LIST = re.compile(r"\s*,\s*\S")
_TOKEN = re.compile(r"[{}\"]")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# A string without an end runs to the end of the text; otherwise each quote in it would be tried as a start.
_STRING_OR_TRAILING_COMMA = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+"?)|,(?=\s*[}\]])', re.DOTALL)
_CITATION = re.compile(r"[ \t]?\[cite(?:_start|_end)?(?:[ \t]?:[^\]\n\"\\]{0,80})?\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JsonBlock:
    """A part of the reply that is not prose. `json` is the object's text, None if it is cut off or one of several."""

    start: int
    end: int
    fenced: bool
    json: str | None
    has_object: bool


def blocks(text: str) -> list[JsonBlock]:
    """Fenced blocks and bare JSON objects in order of appearance; character offsets into `text`.

    A bare object that never closes is a block up to the next fence or to the end of the text.
    """
    found: list[JsonBlock] = []
    cut_off: int | None = None
    position = broken = 0
    while (match := _OPENING.search(text, position)) is not None:
        fenced = match["bare"] is None
        brace = match.start("fenced" if fenced else "bare")
        end = object_end(text, brace) if brace >= 0 else None
        if brace >= 0 and end is None:
            broken += 1
        if fenced:
            if cut_off is not None:
                found.append(JsonBlock(cut_off, match.start(), False, None, True))
            closing = text.find("```", end or match.end())
            stop = len(text) if closing < 0 else closing + 3
            several = end is not None and match["list"] is not None and _NEXT_IN_LIST.match(text, end)
            json_text = text[brace:end] if end and not several else None
            found.append(JsonBlock(match.start(), stop, True, json_text, brace >= 0))
            cut_off, position = None, stop
        elif end is not None:
            # Behind a bare object that never closed, a whole one is most likely a part of it.
            if cut_off is None:
                found.append(JsonBlock(match.start(), end, False, text[brace:end], True))
            position = end
        else:
            cut_off, position = (match.start() if cut_off is None else cut_off), match.end()
        if broken >= _MAX_BROKEN_STARTS or len(found) >= _MAX_BLOCKS:
            # The rest was not looked at, so neither prose nor an answer may be taken from it.
            return [*found, JsonBlock(position if cut_off is None else cut_off, len(text), True, None, True)]
    if cut_off is not None:
        found.append(JsonBlock(cut_off, len(text), False, None, True))
    return found


def candidates(found: list[JsonBlock]) -> Iterator[JsonBlock]:
    """Blocks that may hold the answer: fenced from the last back, then bare, those cut off first."""
    yield from (block for block in reversed(found) if block.fenced and block.has_object)
    yield from sorted(
        (block for block in found if not block.fenced), key=lambda block: block.json is not None
    )


def object_end(text: str, start: int) -> int | None:
    """Offset behind the object that opens at `start`; None if it never closes or nests too deep."""
    depth = 0
    position = start
    while (match := _TOKEN.search(text, position)) is not None:
        mark, position = match[0], match.end()
        if mark == "{":
            depth += 1
            if depth > MAX_DEPTH:
                return None
        elif mark == "}":
            depth -= 1
            if depth == 0:
                return position
        else:
            string = _STRING.match(text, match.start())
            if string is None:
                return None
            position = string.end()
    return None


def load_object(source: str) -> dict[str, Any] | None:
    """The object as a dict, if need be without citation marks and trailing commas.

    A key with two different values has the value `CONTRADICTED`. None if it is not JSON, or nests too deep to
    be read.
    """
    if nests_too_deep(source):
        return None
    repaired = _CITATION.sub("", source)
    for attempt in (source, _STRING_OR_TRAILING_COMMA.sub(lambda match: match[1] or "", repaired)):
        try:
            # Not strict: models put raw line breaks into strings.
            value = json.loads(attempt, strict=False, object_pairs_hook=_object)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python would let the last of several values win, whatever stood first."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = value if key not in found else agreed(found[key], value)
    return found


def agreed(one: Any, other: Any) -> Any:
    """The value that is given twice, or `CONTRADICTED`."""
    return one if type(one) is type(other) and one == other else CONTRADICTED


def without_citations(text: str) -> str:
    """The text without marks such as ``[cite: 1, 2]``."""
    return _CITATION.sub("", text)
