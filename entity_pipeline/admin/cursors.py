"""Cursors of lists: where a page begins. A cursor is valid for one query only.

A cursor is not signed, because a forged one gives only a page that could be requested anyway, or `UnknownCursor`. What
its values are belongs to each list.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from entity_pipeline.core.failures import InputRejected

Row = TypeVar("Row")


class UnknownCursor(InputRejected):
    """The cursor is from another query, or was never issued."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list: start again from the first page.")


def fingerprint(query: BaseModel) -> str:
    """A short hash of what a list shows: the query without `cursor` and `limit`, which its pages differ in."""
    shown = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(shown.encode()).hexdigest()[:12]


def cut(
    found: Sequence[Row], limit: int, *, is_first: bool, backwards: bool
) -> tuple[Sequence[Row], bool, bool]:
    """The rows of a page, and whether there is a page after and before it, of up to `limit + 1` rows in order."""
    has_more = len(found) > limit
    rows = found if not has_more else found[1:] if backwards else found[:-1]
    return (rows, True, has_more) if backwards else (rows, has_more, not is_first)


def pack_cursor(mark: str, key: Sequence[Any], *, backwards: bool) -> str:
    """A cursor to the page after, or before, a row's sort values; `mark` is the list's fingerprint."""
    text = json.dumps([mark, int(backwards), *key], ensure_ascii=False, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpack_cursor(cursor: str, mark: str) -> tuple[list[Any], bool]:
    """The sort values, which are not checked yet, and whether the page lies before them.

    Raises:
        UnknownCursor: the cursor is from another query or forged.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        stored = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise UnknownCursor from None
    if not isinstance(stored, list) or stored[:1] != [mark] or stored[1:2] not in ([0], [1]):
        raise UnknownCursor
    return stored[2:], stored[1] == 1
