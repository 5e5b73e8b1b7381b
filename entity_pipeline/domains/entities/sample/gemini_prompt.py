"""Find the account that a generateContent request is about.

The account is a JSON object with the key ``username`` anywhere in the prompt. The prompt promises only that; its
wording may change.
"""

import json
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from entity_pipeline.sandbox.gemini_request import texts_of

_MENTION = re.compile(r"@([A-Za-z0-9_](?:[A-Za-z0-9_.]{0,28}[A-Za-z0-9_])?)")
_DECODER = json.JSONDecoder()


def asked_username(request: Mapping[str, Any], known: Container[str]) -> str | None:
    """The handle that the request is about, in lower case; None where there is none.

    A known handle is preferred over another object that happens to have the key (an example in the prompt). A
    repair call may carry only the broken reply, so an ``@handle`` mentioned in it is the last resort.
    """
    text = "\n".join(texts_of(request.get("contents")))
    found = [name.strip().lstrip("@").lower() for name in _usernames(text)]
    found += [name.lower() for name in _MENTION.findall(text)] if not found else []
    return next((name for name in found if name in known), found[0] if found else None)


def _usernames(text: str) -> Iterator[str]:
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield from _usernames_in(value)
        at = text.find("{", end)


def _usernames_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("username"), str) and value["username"].strip():
            yield value["username"]
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from _usernames_in(item)
