"""Write JSON that PostgreSQL accepts; read untrusted JSON safely.

jsonb refuses what JSON allows: NUL characters and lone surrogates. Python refuses what jsonb holds: numbers with
thousands of digits, and nesting that overflows only when it is walked from deeper in the stack.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

# Nothing that this project stores or reads nests deeper than 30 levels.
MAX_DEPTH = 100
TOO_DEEP = "(nested too deeply to be read)"
_BRACKET = re.compile(r'[\[\]{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# On text from json.dumps(ensure_ascii=True). There is rarely anything to replace, and _SUSPECT finds that out faster.
_SUSPECT = re.compile(r"\\u0000|\\ud[89a-f]")
# Escaped backslashes and whole pairs are matched first to be kept.
_ESCAPES = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}")


def jsonb_text(value: Any) -> str:
    """The value as JSON text for a ``::jsonb`` parameter.

    NUL characters and lone surrogates become U+FFFD, NaN and infinities null, and anything else that JSON does not
    know becomes its ``str()``.
    """
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        text = json.dumps(finite, default=str, allow_nan=False)
    return _ESCAPES.sub(lambda match: match[1] or "\\ufffd", text) if _SUSPECT.search(text) else text


def read_json(text: str | bytes) -> Any:
    """Like `json.loads`, for text from outside.

    Raises:
        ValueError: it is not JSON, nests deeper than `MAX_DEPTH`, or holds a whole number that Python won't read.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if nests_too_deep(text):
        raise ValueError(f"the JSON nests more than {MAX_DEPTH} levels deep")
    return json.loads(text)


def read_stored(text: str | bytes) -> Any:
    """A jsonb value as PostgreSQL hands it out; never raises over one that Python can't hold.

    A part that nests deeper than `MAX_DEPTH` is read as a text that says so, a number too large for Python as infinity.
    """
    text = text.decode() if isinstance(text, bytes) else text
    text = _pruned(text) if nests_too_deep(text) else text
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(
            text, parse_int=lambda digits: int(digits) if len(digits) < 1_000 else float(digits)
        )


def json_object(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one, because stored or received JSON may be any value."""
    return value if isinstance(value, Mapping) else {}


def json_text(value: object) -> str | None:
    """The value if it is a text."""
    return value if isinstance(value, str) else None


def json_items(value: object, limit: int | None = None) -> list[Any]:
    """The items of an array, at most `limit`; none if the value is something else."""
    return value[:limit] if isinstance(value, list) else []


def nests_too_deep(text: str) -> bool:
    """Whether arrays and objects nest beyond `MAX_DEPTH`; the text need not be JSON at all."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for mark in _BRACKET.finditer(text):
        if mark[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark[0] in "]}":
            depth -= 1
    return False


def _pruned(text: str) -> str:
    """Valid JSON with each value below `MAX_DEPTH` levels replaced by `TOO_DEEP`."""
    kept: list[str] = []
    depth = start = 0
    for mark in _BRACKET.finditer(text):
        if mark[0] in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += [text[start : mark.start()], f'"{TOO_DEEP}"']
        elif mark[0] in "]}":
            depth -= 1
            start = mark.end() if depth == MAX_DEPTH else start
    return "".join([*kept, text[start:]])
