"""A valid input made hostile: a few changes, each drawn from what breaks parsers.

Most random inputs are refused by the first line of a parser. A damaged valid one gets further.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

HOSTILE_TEXT = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u200b\ufeff",
    "﷽" * 40,
    "a\u0301" * 50,
    "İ",
    "ß" * 31,
    "```json\n{}\n```",
    '{"account_type": "brand", "confidence": 1}',
    '"}',
    "\\",
    "[cite: 1]",
    "..",
    "../../etc/passwd",
    "'; drop table brands; --",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "https://127.0.0.1/",
    "https://www.instagram.com/nike/",
    "NaN",
    "1e999",
    "-1",
    "true",
    "null",
    "가" * 300,
    "- " * 60,
    "(" * 100,
    "a" * 5_000,
)
HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**64),
    10**400,
    0.5,
    -0.0,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    -float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    *HOSTILE_TEXT,
)
_BYTES = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"{",
    b"[" * 200,
    b"\n",
    b"\r",
    b"\t",
    b",",
    b"9" * 30,
)


def nested(depth: int, leaf: Any = None) -> Any:
    """Arrays and objects in turn, so deep that even looking at them is dangerous."""
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


def mutated(value: Any, random: Random) -> Any:
    """A copy of a JSON value with one to four changes at random places."""
    value = json.loads(json.dumps(value))
    for _ in range(random.randint(1, 4)):
        value = _changed(value, random)
    return value


def mutated_text(text: str, random: Random) -> str:
    """A text with pieces cut, doubled, moved or put in."""
    for _ in range(random.randint(1, 4)):
        low, high = sorted(random.randint(0, len(text)) for _ in range(2))
        middle = random.choice(
            (
                "",
                random.choice(HOSTILE_TEXT),
                text[low:high] * random.randint(2, 4),
                text[low:high][::-1],
                text[low:high].swapcase(),
                chr(random.choice((random.randint(0, 0x24F), random.randint(0x250, 0x10FFFF)))),
            )
        )
        text = (text[:low] + middle + text[high:])[:200_000]
    return text


def mutated_bytes(data: bytes, random: Random) -> bytes:
    """Bytes with bits flipped, pieces cut, doubled or put in."""
    for _ in range(random.randint(1, 4)):
        low, high = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
        match random.randint(0, 3):
            case 0 if data:
                at = random.randrange(len(data))
                data = data[:at] + bytes([data[at] ^ 1 << random.randint(0, 7)]) + data[at + 1 :]
            case 1:
                data = data[:low] + data[high:]
            case 2:
                data = data[:low] + data[low:high] * 2 + data[high:]
            case _:
                data = data[:low] + random.choice(_BYTES) + data[low:]
        data = data[:1_000_000]
    return data


def _changed(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.85:
        return _changed_object(value, random)
    if isinstance(value, list) and value and random.random() < 0.85:
        return _changed_array(value, random)
    return _replaced(value, random)


def _changed_object(value: dict[str, Any], random: Random) -> dict[str, Any]:
    key = random.choice(sorted(value))
    match random.randint(0, 9):
        case 0:
            return {name: item for name, item in value.items() if name != key}
        case 1:
            return {**value, random.choice((*HOSTILE_TEXT, key.upper(), f" {key}")): value[key]}
        case 2:
            return {**value, key: value[random.choice(sorted(value))]}
        case _:
            return {**value, key: _changed(value[key], random)}


def _changed_array(value: list[Any], random: Random) -> list[Any]:
    at = random.randrange(len(value))
    match random.randint(0, 9):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return value + [value[at]] * random.choice((1, 2, 30))
        case 2:
            return value[::-1]
        case _:
            return [*value[:at], _changed(value[at], random), *value[at + 1 :]]


def _replaced(value: Any, random: Random) -> Any:
    ways: list[Callable[[], Any]] = [
        lambda: random.choice(HOSTILE_VALUES),
        lambda: nested(random.choice((3, 30, 90)), value),
        lambda: [value],
        lambda: {"a": value},
        lambda: str(value),
    ]
    if isinstance(value, str):
        ways += [lambda: mutated_text(value, random)] * 4
    elif isinstance(value, int | float) and not isinstance(value, bool):
        ways += [lambda: value + 1, lambda: -value, lambda: value * 1_000_003, lambda: value // 7]
    return random.choice(ways)()
