"""Writes that the schema refuses: by a key, a check, a domain or a trigger. Another try of the same write fails too.

What passes with time, such as a lock or a lost connection, does not belong here: see `resources/postgres.py`.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import psycopg

Item = TypeVar("Item")
Result = TypeVar("Result")

# P0: raised by a function; 09, 27, 38, 39: a trigger or an external routine failed.
_CLASSES = ("09", "27", "38", "39", "P0")
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
_LOCK_NOT_AVAILABLE = "55P03"
_LONGEST = 300


def is_refusal(error: BaseException) -> bool:
    """Whether the schema refused the row; False for what may succeed later, and for missing tables and rights."""
    if not isinstance(error, psycopg.Error):
        return False
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return True
    code = error.sqlstate or ""
    if code[:2] in _CLASSES:
        return True
    is_passing = code[:2] in _PASSING_CLASSES or code == _LOCK_NOT_AVAILABLE
    return bool(code) and not is_passing and raised_in(error) is not None


def said_by(error: psycopg.Error) -> str:
    """The message of the database on one line, without its detail, which repeats values of the row."""
    return " ".join((error.diag.message_primary or type(error).__name__).split())[:_LONGEST]


def raised_in(error: psycopg.Error) -> str | None:
    """The function of the database that raised: ``"PL/pgSQL function locked() line 3 at RAISE"``; None without one."""
    first = (error.diag.context or "").partition("\n")[0]
    return first if first.startswith("PL/pgSQL function ") else None


def in_parts(
    items: Sequence[Item],
    write: Callable[[Sequence[Item]], Result],
    refused: Callable[[Item, psycopg.Error], object],
) -> Iterator[Result]:
    """Write the items with one call, or in ever smaller parts until only refused items are left out.

    `write` leaves nothing behind when it raises.
    """
    try:
        yield write(items)
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        if len(items) == 1:
            refused(items[0], error)
            return
        half = len(items) // 2
        yield from in_parts(items[:half], write, refused)
        yield from in_parts(items[half:], write, refused)


def is_taken(connection: psycopg.Connection[Any], write: Callable[[], object]) -> bool:
    """Make one write within the open transaction; False if the schema refused it, which then left nothing behind."""
    try:
        with connection.transaction():
            write()
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        return False
    return True


def refused_columns(
    connection: psycopg.Connection[Any],
    values: Mapping[str, Any],
    write: Callable[[Mapping[str, Any]], object],
    *,
    last: Container[str],
) -> Sequence[str]:
    """Write all values of a row at once, else one by one, so that one refusal affects only its own column.

    Columns in `last` are written after the others. Returns the columns that were refused.
    """
    if is_taken(connection, lambda: write(values)):
        return []
    if len(values) == 1:
        return list(values)
    order = sorted(values, key=lambda column: (column in last, column))
    return [one for one in order if not is_taken(connection, partial(write, {one: values[one]}))]
