"""Who wrote the value of a column: the pipeline, or a person. People win.

The audit log is the only record: a column is ours while it holds the value of our last write that was not undone. If we
filled a column and it is empty now, a person emptied it, and it stays empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

Value = TypeVar("Value")

# Values that count as empty beside null and white space: 'NA' is the column default of brands.
_BLANK_WORDS: Mapping[str, frozenset[str]] = {
    "country_of_origin": frozenset({"NA"}),
    "account_type": frozenset({"unknown"}),
    "entity_ig_role": frozenset({"unknown"}),
}


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One of our rows in `admin_audit_log`.

    `undoes` is the id of the write that this row reverts, and `redoes` that of the undo that it takes back, if it does.

    `before` is None for a created row, `after` None for a removed one; otherwise both have the written
    columns.
    """

    id: UUID
    target_table: str
    target_id: UUID
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    created_at: datetime
    run_id: str | None = None
    account: str | None = None
    account_id: UUID | None = None
    undoes: UUID | None = None
    redoes: UUID | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the write."""
        return frozenset(self.after or self.before or ())

    @property
    def is_write(self) -> bool:
        """Whether it is an automatic write, and not the undo of one or the return from an undo."""
        return self.undoes is None and self.redoes is None


def is_blank(column: str, value: Any) -> bool:
    """Whether the value counts as empty: null, white space, or the column's word for unknown."""
    if value is None:
        return True
    text = str(value).strip()
    return not text or text in _BLANK_WORDS.get(column, ())


def fill(
    current: Value | None, wish: Value | None, last_written_by_us: Value | None, *, column: str = ""
) -> Value | None:
    """The value to write, or None to leave the column alone.

    An empty value is filled; a value that is unchanged since our own last write is replaced. `column` selects the words
    that mean empty there.
    """
    if wish is None or wish == current:
        return None
    if is_blank(column, current):
        return wish if is_blank(column, last_written_by_us) else None
    return wish if current == last_written_by_us else None


def by_person(column: str, current: Value | None, last_written_by_us: Value | None) -> Value | None:
    """`current` when a person (or anything but the pipeline) wrote it, else None."""
    return None if is_blank(column, current) or current == last_written_by_us else current


def undone_columns(history: Sequence[AuditRow]) -> Mapping[UUID, frozenset[str]]:
    """Which columns of which audit rows are put back now, by the id of the row that was undone."""
    again = redone_columns(history)
    done: dict[UUID, frozenset[str]] = {}
    for row in history:
        if row.undoes is not None:
            left = row.columns - again.get(row.id, frozenset())
            done[row.undoes] = done.get(row.undoes, frozenset()) | left
    return done


def redone_columns(history: Sequence[AuditRow]) -> Mapping[UUID, frozenset[str]]:
    """Which columns of which undoing rows were taken back, by the id of the undoing row."""
    done: dict[UUID, frozenset[str]] = {}
    for row in history:
        if row.redoes is not None:
            done[row.redoes] = done.get(row.redoes, frozenset()) | row.columns
    return done


def standing_writes(history: Sequence[AuditRow]) -> dict[str, AuditRow]:
    """Our last write of each column that was not undone. `history` is one row's, oldest first."""
    done = undone_columns(history)
    return {
        column: row
        for row in history
        if row.is_write
        for column in row.after or ()
        if column not in done.get(row.id, ())
    }


def last_written(history: Sequence[AuditRow]) -> dict[str, Any]:
    """The value that our last write that still stands gave each column. `history` is one row's, oldest first."""
    return {column: (row.after or {})[column] for column, row in standing_writes(history).items()}
