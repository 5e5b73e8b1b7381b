"""What of an automatic write can be put back: exactly what still is as we left it. Pure.

Surprising: a row that we created is removed only if no column of it has changed and nothing else refers to
it; otherwise it stays, and only its pointer to the account is taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from entity_pipeline.domains.entities.logic.decisions import LINK_COLUMN
from entity_pipeline.domains.entities.logic.provenance import AuditRow, is_blank, last_written, undone_columns

POINTER = "primary_instagram_account_id"

CHANGED_SINCE = "it was changed since"
STILL_LINKED = "the account is still linked and needs a role"
REFUSED = "the database refuses the earlier value"

_BOOKKEEPING = frozenset({"created_at", "updated_at"})


@dataclass(frozen=True, slots=True)
class Place:
    """One column of one row; `column` is None where the whole row is meant."""

    table: str
    target_id: UUID
    column: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What was left as it is; `why` completes "kept, because ..."; `column` is None for the whole row."""

    table: str
    target_id: UUID
    column: str | None
    why: str


@dataclass(slots=True)
class UndoReport:
    """What an undo did. A second run of the same undo restores and removes nothing."""

    restored: list[Place] = field(default_factory=list)
    removed: list[Place] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restoration:
    """Column values to put back into one row, and the columns that stay, with the reason."""

    values: Mapping[str, Any]
    kept: Mapping[str, str]


def restoration(row: AuditRow, done: Iterable[str], current: Mapping[str, Any]) -> Restoration:
    """What to put back of one updated row. `done` are columns that an earlier undo has put back already."""
    values: dict[str, Any] = {}
    kept: dict[str, str] = {}
    before = row.before or {}
    for column in (row.after or {}).keys() - set(done):
        now, ours, earlier = current.get(column), (row.after or {})[column], before.get(column)
        if now == ours:
            values[column] = earlier
        elif now != earlier:
            kept[column] = CHANGED_SINCE
    if "entity_ig_role" in values and is_blank("entity_ig_role", values["entity_ig_role"]):
        left = {**current, **values}
        if any(left.get(column) is not None for column in LINK_COLUMN.values()):
            del values["entity_ig_role"]
            kept["entity_ig_role"] = STILL_LINKED
    return Restoration(values, kept)


def touched_columns(created: AuditRow, history: Sequence[AuditRow], current: Mapping[str, Any]) -> list[str]:
    """Columns of a row we created that hold something we did not write. `history` is oldest first."""
    expected: dict[str, Any] = dict.fromkeys(undone_columns(history).get(created.id, ()))
    expected.update(last_written(history))
    return sorted(
        column
        for column, value in current.items()
        if column not in _BOOKKEEPING and value != expected.get(column)
    )
