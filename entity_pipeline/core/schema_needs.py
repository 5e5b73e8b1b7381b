"""What code needs of the two databases: tables, columns, rights and rows, as values.

A domain declares its own needs in its `schema.py`; what all domains share is declared in `shared/schema.py`. How the
databases are compared with them does not belong here: `resources/schema_check.py` does that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

DatabaseName = Literal["assets", "operation"]
Privilege = Literal["select", "insert", "update", "delete"]
UPSERTED: tuple[Privilege, ...] = ("select", "insert", "update")


@dataclass(frozen=True, slots=True)
class TableNeeds:
    """What one table must offer.

    Attributes:
        columns: each column with its family: ``text``, ``int``, ``numeric``, ``bool``, ``date``, ``jsonb``,
            ``timestamptz``, ``uuid`` and the others that `resources/schema_check.py` lists.
        added: the columns that migrations of ours make; `migrate` is what brings them back.
        keys: columns that must be unique together.
        indexes: names of indexes without which reading the table is slow.
        updated: the columns that are updated, where a right on the others is not needed; empty for all.
        rows: rows that a policy must let through, by privilege; ``updated`` is how they look afterwards. A privilege
            that is not named needs all rows.
        made_there: columns that are read and never given.
        holds_up_runs: False if runs work without the table.
        optional: True if the table, and the right to read it, may be missing: only its columns are checked then.
        deleted_with_references: True if the database deletes rows of other tables with a row of this one, so that
            those must be visible too.
    """

    columns: Mapping[str, str]
    added: frozenset[str] = frozenset()
    privileges: Sequence[Privilege] = UPSERTED
    keys: Sequence[Sequence[str]] = ()
    indexes: Sequence[str] = ()
    updated: frozenset[str] = frozenset()
    rows: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    made_there: frozenset[str] = frozenset()
    holds_up_runs: bool = True
    optional: bool = False
    deleted_with_references: bool = False


@dataclass(frozen=True, slots=True)
class SchemaNeeds:
    """What one domain, or a shared service, needs of both databases: tables and functions by name."""

    assets: Mapping[str, TableNeeds] = field(default_factory=dict)
    operation: Mapping[str, TableNeeds] = field(default_factory=dict)
    functions: Mapping[DatabaseName, Sequence[str]] = field(default_factory=dict)


def columns(text: str) -> dict[str, str]:
    """``"uuid: id source_id; text: name"`` as ``{"id": "uuid", "source_id": "uuid", "name": "text"}``."""
    families = (part.split(":") for part in text.split(";"))
    return {name: family.strip() for family, names in families for name in names.split()}


def our_table(text: str, **needs: Any) -> TableNeeds:
    """The needs of a table that our migrations make: every column of `text` is theirs."""
    named = columns(text)
    return TableNeeds(named, added=frozenset(named), **needs)
