"""Which part of an automatic write can be undone: exactly the values that have not changed since. Pure.

A row that we created is removed only if none of its columns has changed and nothing else refers to it; otherwise it
stays, and only its pointer to the account is removed.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from entity_pipeline.core.audit import Actor
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN
from entity_pipeline.shared.audit.provenance import (
    AuditRow,
    last_written,
    redone_columns,
    standing_writes,
    undone_columns,
)

POINTER = "primary_instagram_account_id"

CHANGED_SINCE = "it was changed since"
STILL_LINKED = "the account is still linked and needs a role"
REFUSED = "the database refuses the earlier value"
GONE = "it was deleted since"
OF_ANOTHER = "another account is its primary account now"

_NO_ROW = object()
_BOOKKEEPING = frozenset({"created_at", "updated_at"})


@dataclass(frozen=True, slots=True)
class Location:
    """One column of one row, or the whole row if `column` is None."""

    table: str
    target_id: UUID
    column: str | None


@dataclass(frozen=True, slots=True)
class KeptColumn:
    """A value that was left unchanged; `why` completes "kept, because ..."; `column` is None for the whole row."""

    table: str
    target_id: UUID
    column: str | None
    why: str


@dataclass(slots=True)
class UndoReport:
    """The result of an undo. A second run of the same undo restores and removes nothing.

    `names` are those of the rows that changed, by table and id, for people.
    """

    restored: list[Location] = field(default_factory=list)
    removed: list[Location] = field(default_factory=list)
    names: dict[tuple[str, UUID], str] = field(default_factory=dict)
    kept: list[KeptColumn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restoration:
    """Column values to restore in one row, and the columns that stay, with the reason."""

    values: Mapping[str, Any]
    kept: Mapping[str, str]


def restoration(
    row: AuditRow, past: Sequence[AuditRow], current: Mapping[str, Any], undoing: Container[UUID]
) -> Restoration:
    """The values of one updated row to restore, and those to list as kept.

    `past` is our history of the row, oldest first; `undoing` are the ids of all writes that are being undone.
    """
    values: dict[str, Any] = {}
    kept: dict[str, str] = {}
    standing = standing_writes(past)
    for column in outstanding(row, past):
        now, last = current.get(column), standing[column]
        if last.id == row.id and now == (row.after or {})[column]:
            values[column] = (row.before or {}).get(column)
        elif now != _origin(column, past, undoing):
            overtaken = now == (last.after or {})[column]
            kept[column] = f"run {last.run_id} wrote it since" if overtaken else CHANGED_SINCE
    if "entity_ig_role" in values and values["entity_ig_role"] is None:
        left = {**current, **values}
        if any(left.get(column) is not None for column in LINK_COLUMN.values()):
            del values["entity_ig_role"]
            kept["entity_ig_role"] = STILL_LINKED
    return Restoration(values, kept)


def audit_metadata(row: AuditRow, account_id: UUID, actor: Actor) -> dict[str, Any]:
    """The metadata of the audit row with which `actor` undoes or redoes `row` for an account."""
    return {
        "run_id": row.run_id,
        "account": row.account,
        "account_id": str(account_id),
        "who": actor.label,
    }


def name_of(row: Mapping[str, Any]) -> str:
    """The name of an account or an entity, for people."""
    return next((str(row[key]) for key in ("username", "name_en", "name_ko") if row.get(key)), "?")


def outstanding(row: AuditRow, past: Sequence[AuditRow]) -> frozenset[str]:
    """The columns of a write that no undo has restored yet."""
    return frozenset(row.after or ()) - undone_columns(past).get(row.id, frozenset())


def deleted_by_others(past: Sequence[AuditRow], undoing: Container[UUID]) -> bool:
    """Whether others deleted a missing row: no write being undone created it, and no undo of ours removed it."""
    created = any(row.before is None and row.id in undoing for row in past)
    again = redone_columns(past)
    removed = any(row.after is None and row.undoes is not None and row.id not in again for row in past)
    return not created and not removed


def _origin(column: str, past: Sequence[AuditRow], undoing: Container[UUID]) -> Any:
    """The value of the column before the first write that is being undone; none if the row did not exist."""
    for row in past:
        if row.id in undoing and column in outstanding(row, past):
            return _NO_ROW if row.before is None else row.before.get(column)
    return _NO_ROW


def touched_columns(history: Sequence[AuditRow], current: Mapping[str, Any]) -> list[str]:
    """Columns of a row that we created whose value we did not write. `history` is oldest first."""
    expected = last_written(history)  # without columns that an undo has emptied
    return sorted(
        column
        for column, value in current.items()
        if column not in _BOOKKEEPING and value != expected.get(column)
    )
