"""One field of a JSON node at a time. Pure: a value of the wrong type or size reads as absent."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from entity_pipeline.core.instagram.post import NamedUser, Place

LARGEST_ID = 2**63 - 1
_LONGEST_TEXT = 10_000
_LONGEST_URL = 4_096
_MOST_ITEMS = 200
_LARGEST_COUNT = 10**13
_ID = re.compile(r"[1-9][0-9]{0,18}")
_EARLIEST = datetime(2010, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def text(value: Any) -> str | None:
    """A text that any database accepts; an empty one is absent."""
    if not isinstance(value, str):
        return None
    # A lone surrogate is valid in JSON but not in UTF-8, and PostgreSQL takes no NUL.
    return value[:_LONGEST_TEXT].encode("utf-8", "ignore").decode("utf-8").replace("\0", "") or None


def word(value: Any) -> str | None:
    """A short text in lower case: a username or a name that Instagram gives."""
    found = text(value)
    return found.lower() if found is not None and len(found) <= 100 else None


def https_url(value: Any) -> str | None:
    """An address of a picture."""
    found = text(value)
    return found if found and len(found) <= _LONGEST_URL and found.startswith("https://") else None


def flag(value: Any) -> bool | None:
    """A boolean."""
    return value if isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """A number of something, 0 or more."""
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None


def number(value: Any) -> float | None:
    """A finite number, such as seconds or degrees."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LARGEST_COUNT and math.isfinite(value) else None


def identifier(value: Any) -> int | None:
    """An id, which comes as a number or as text, as an integer that a bigint holds."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not _ID.fullmatch(str(value)[:21]):
        return None
    found = int(value)
    return found if found <= LARGEST_ID else None


def identifiers(values: Any) -> tuple[int, ...]:
    """The ids in a list, each once."""
    found = map(identifier, values[:_MOST_ITEMS]) if isinstance(values, list) else ()
    return tuple(dict.fromkeys(one for one in found if one is not None))


def moment(value: Any) -> datetime | None:
    """A time given in Unix seconds, UTC."""
    at = number(value)
    return datetime.fromtimestamp(at, UTC) if at is not None and _EARLIEST <= at < _LATEST else None


def nodes(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [one for one in value[:_MOST_ITEMS] if isinstance(one, Mapping)] if isinstance(value, list) else []


def node(value: Any, *keys: str) -> Mapping[str, Any]:
    """The object at the end of `keys`; an empty one if any of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def user(value: Any) -> NamedUser | None:
    """An account, by its pk (``id`` in older nodes), its username, or both."""
    found = node(value)
    pk = identifier(found.get("pk")) or identifier(found.get("id"))
    username = word(found.get("username"))
    return NamedUser(pk, username) if pk is not None or username is not None else None


def users(values: Any, *keys: str) -> tuple[NamedUser, ...]:
    """The accounts in a list of objects, each at the end of `keys`; each account once."""
    found = (user(node(one, *keys)) for one in nodes(values))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def place(value: Any) -> Place | None:
    """A location."""
    found = node(value)
    pk = identifier(found.get("pk")) or identifier(found.get("id"))
    name = text(found.get("name"))
    if pk is None and name is None:
        return None
    return Place(pk, name, number(found.get("lat")), number(found.get("lng")))


def largest_picture(value: Any) -> str | None:
    """The address of the widest candidate of `image_versions2`."""
    candidates = nodes(node(value).get("candidates"))
    candidates.sort(key=lambda one: count(one.get("width")) or 0, reverse=True)
    return next((url for one in candidates if (url := https_url(one.get("url")))), None)
