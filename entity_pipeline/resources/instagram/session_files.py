"""Logged-in sessions as people provide them: a browser's cookie export, or Instaloader's session file. Pure.

Instaloader's file is a pickle, which runs code when it is loaded. It is never loaded: its instructions are
read one by one, and only those that spell out a flat object of texts are followed.
"""

import json
import pickletools
import re
import warnings
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

from entity_pipeline.core.failures import InputRejected

LARGEST_FILE = 1_000_000  # bytes; a session has two thousand
_DOMAIN = "instagram.com"
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]{1,200}", re.ASCII)
_VALUE = re.compile(r"[\x20-\x3a\x3c-\x7e]{1,4096}")  # what a header may contain, without the semicolon
_HTTP_ONLY = "#HttpOnly_"
_NO_EXPORT = (
    "The file is not a cookie export: expected the JSON list of a cookie extension, or a cookies.txt file."
)
_NO_SESSION = "The file is not a plain Instaloader session"


def read_cookie_export(data: bytes, now: float) -> dict[str, str]:
    """Instagram's cookies of a browser's export, in JSON or in the Netscape form (cookies.txt).

    Cookies of other sites and those that ended before `now` (Unix time) are left out.

    Raises:
        InputRejected: the file is neither.
    """
    try:
        text = _limited(data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputRejected(_NO_EXPORT) from None
    found = _from_json(text) if text.lstrip()[:1] in ("[", "{") else _from_lines(text)
    kept = [
        (domain, name, value)
        for domain, name, value, ends_at in found
        if (domain == _DOMAIN or domain.endswith(f".{_DOMAIN}")) and not 0 < ends_at <= now
    ]
    # Of two cookies with one name, the one for the whole site counts.
    kept.sort(key=lambda cookie: cookie[0] == _DOMAIN)
    return _sendable({name: value for _, name, value in kept})


def read_instaloader_session(data: bytes) -> dict[str, str]:
    """The cookies of an Instaloader session file, read without running any of its code.

    Raises:
        InputRejected: it is not a pickle, or holds more than one flat object of texts.
    """
    stream = BytesIO(_limited(data))
    machine = _FlatObject()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about invalid escapes in texts; a file with one is refused below
            for instruction, argument, _ in pickletools.genops(stream):
                machine.follow(instruction.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError):
        raise InputRejected(f"{_NO_SESSION}: it is cut off or malformed.") from None
    if stream.read(1):
        raise InputRejected(f"{_NO_SESSION}: it continues after its end.")
    return _sendable(machine.result())


class _FlatObject:
    """The few instructions of a pickle that make a flat object of texts; any other is refused."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def follow(self, name: str, argument: Any) -> None:
        """Follow one instruction. IndexError, KeyError: the stack or the memo lacks its operand."""
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "EMPTY_DICT":
                self._stack.append({})
            case "UNICODE" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                self._stack.append(argument)
            case "MARK":
                self._marks.append(len(self._stack))
            case "DICT":
                parts = self._since_mark()
                self._stack.append({})
                self._set(parts)
            case "SETITEM":
                value, key = self._stack.pop(), self._stack.pop()
                self._set([key, value])
            case "SETITEMS":
                self._set(self._since_mark())
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self._stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self._stack.append(self._memo[argument])
            case _:
                raise InputRejected(
                    f"{_NO_SESSION}: it holds the instruction {name}, and such a file could run code. "
                    "Nothing was loaded; export the cookies from a browser instead."
                )

    def result(self) -> dict[str, str]:
        """The object that the instructions made."""
        if len(self._stack) != 1 or self._marks or not isinstance(self._stack[0], dict):
            raise InputRejected(f"{_NO_SESSION}: it does not hold exactly one object.")
        return self._stack[0]

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        parts = self._stack[start:]
        del self._stack[start:]
        return parts

    def _set(self, parts: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(parts) % 2:
            raise ValueError("names and values must come in pairs, after their object")
        if not all(isinstance(part, str) for part in parts):
            raise InputRejected(f"{_NO_SESSION}: its names and values must all be texts.")
        target.update(zip(parts[::2], parts[1::2], strict=True))


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST_FILE:
        raise InputRejected(f"The file has more than {LARGEST_FILE:,} bytes; a session has a few thousand.")
    return data


def _from_json(text: str) -> Iterable[tuple[str, str, str, float]]:
    """(domain, name, value, end in Unix time or 0) of each cookie."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputRejected(_NO_EXPORT) from None
    cookies = found.get("cookies") if isinstance(found, dict) else found
    if not isinstance(cookies, list) or not all(isinstance(cookie, dict) for cookie in cookies):
        raise InputRejected(_NO_EXPORT)
    for cookie in cookies:
        domain, name, value = (cookie.get(key) for key in ("domain", "name", "value"))
        if isinstance(domain, str) and isinstance(name, str) and isinstance(value, str):
            yield _host(domain), name, value, _end(cookie.get("expirationDate", cookie.get("expires")))


def _from_lines(text: str) -> Iterable[tuple[str, str, str, float]]:
    """The same for a cookies.txt file: seven columns separated by tabs."""
    found = []
    for line in text.splitlines():
        if line.startswith("#") and not line.startswith(_HTTP_ONLY):
            continue
        columns = line.removeprefix(_HTTP_ONLY).split("\t")
        if len(columns) == 7:
            domain, _, _, _, ends_at, name, value = columns
            found.append((_host(domain), name, value, _end(ends_at)))
    if not found:
        raise InputRejected(_NO_EXPORT)
    return found


def _host(domain: str) -> str:
    return domain.strip().lower().removeprefix(".")


def _end(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _sendable(cookies: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in cookies.items() if _NAME.fullmatch(name) and _VALUE.fullmatch(value)
    }
