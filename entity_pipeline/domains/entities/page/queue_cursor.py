"""Cursors of the list of accounts; their form is that of `admin/cursors.py`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from entity_pipeline.admin.cursors import UnknownCursor, fingerprint, pack_cursor, unpack_cursor
from entity_pipeline.domains.entities.accounts.queries.queue import Place, key_types
from entity_pipeline.domains.entities.page.queue_values import QueueQuery

__all__ = ["UnknownCursor", "cursor_of", "place_of", "read_key"]

_MOST_POSTS = 1_000_000_000


def cursor_of(query: QueueQuery, key: Any, *, backwards: bool) -> str:
    """A cursor to the page after, or before, an account's sort values."""
    return pack_cursor(fingerprint(query), key, backwards=backwards)


def place_of(query: QueueQuery) -> Place | None:
    """Where the page of this query begins; None for the first one.

    Raises:
        UnknownCursor: the cursor is from another query or forged.
    """
    if query.cursor is None:
        return None
    values, backwards = unpack_cursor(query.cursor, fingerprint(query))
    return Place(read_key(query, values), backwards=backwards)


def read_key(query: QueueQuery, values: list[Any]) -> list[Any]:
    """Sort values as stored in a cursor, checked for the order of the query. Raises `UnknownCursor`."""
    kinds = key_types(query.sort.value)
    if len(values) != len(kinds):
        raise UnknownCursor
    try:
        return [_READ[kind](value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise UnknownCursor from None


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
