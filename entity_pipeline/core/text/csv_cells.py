"""Rows as CSV that a spreadsheet opens without executing any of them."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

BYTE_ORDER_MARK = "\ufeff".encode()
"""First in a file for spreadsheets, which would not take it for UTF-8 otherwise."""
# A spreadsheet executes a cell that begins with one of these.
_FORMULA = ("=", "+", "-", "@", "|", "＝", "＋", "－", "＠")


def csv_bytes(rows: Iterable[Sequence[Any]]) -> bytes:
    """The rows as CSV in UTF-8; the cells are as `cell_of` made them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def cell_of(value: Any) -> Any:
    """The value for CSV: an apostrophe turns a text that a spreadsheet would execute as a formula into plain text.

    A text that begins with an apostrophe gets one more, so that removing one restores every text.
    """
    text = " ".join(value) if isinstance(value, list) else value
    is_guarded = isinstance(text, str) and (text.lstrip().startswith(_FORMULA) or text.startswith("'"))
    return f"'{text}" if is_guarded else text
