"""Cursors of the list: where a page begins. A cursor is valid for one query only.

A cursor is not signed, because a forged one gives only a page that could be requested anyway, or `UnknownCursor`.
"""

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.accounts.queries.queue import Place, key_types
from entity_pipeline.domains.entities.page.queue_values import QueueQuery

_MOST_POSTS = 1_000_000_000


class UnknownCursor(InputRejected):
    """The cursor is from another query, or was never issued."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list: start again from the first page.")


def cursor_of(query: QueueQuery, key: Any, *, backwards: bool) -> str:
    """A cursor to the page after, or before, an account's sort values."""
    stored = [_fingerprint(query), int(backwards), *key]
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(query: QueueQuery) -> Place | None:
    """Where the page of this query begins; None for the first one.

    Raises:
        UnknownCursor: the cursor is from another query or forged.
    """
    if query.cursor is None:
        return None
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        stored = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise UnknownCursor from None
    if not isinstance(stored, list) or stored[:1] != [_fingerprint(query)] or stored[1:2] not in ([0], [1]):
        raise UnknownCursor
    return Place(read_key(query, stored[2:]), backwards=stored[1] == 1)


def read_key(query: QueueQuery, values: list[Any]) -> list[Any]:
    """Sort values as stored in a cursor, checked for the order of the query. Raises `UnknownCursor`."""
    kinds = key_types(query.sort.value)
    if len(values) != len(kinds):
        raise UnknownCursor
    try:
        return [_READ[kind](value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise UnknownCursor from None


def _fingerprint(query: QueueQuery) -> str:
    what = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(what.encode()).hexdigest()[:12]


def _read_int(value: Any) -> int:
    if type(value) is not int or not -_MOST_POSTS <= value <= 0:
        raise ValueError
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200 or "\x00" in value:
        raise ValueError
    value.encode()
    return value


_READ = {
    "int": _read_int,
    "text": _read_text,
    "uuid": lambda value: UUID(_read_text(value)),
    "timestamptz": lambda value: datetime.fromisoformat(_read_text(value)).astimezone(UTC),
}
