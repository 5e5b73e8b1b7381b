"""What an undo must do, computed without the audit log: a stack of automatic writes for every column of every row.

The model learns who wrote what by comparing the whole catalog before and after each step, so a write that
the product forgot to record is seen here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

Row = tuple[str, str]  # table, id
Cell = tuple[str, str, str]  # table, id, column
Snapshot = dict[Row, dict[str, Any]]
Left = set[tuple[str, str, str | None]]  # what an undo lists; without a column the whole row

LINKS = {"artist_id": "artists", "brand_id": "brands", "group_id": "groups"}
POINTER = "primary_instagram_account_id"
_TABLES = ("instagram_accounts", "artists", "brands", "groups")
_ABSENT = "no such row"


def snapshot(connection: psycopg.Connection[Any]) -> Snapshot:
    """Every column of the catalog but times and our own part of `metadata`."""
    found: Snapshot = {}
    for table in _TABLES:
        query = f"select id::text, to_jsonb(t) - 'created_at' - 'updated_at' from {table} t"
        for row_id, columns in connection.execute(query):
            mine = columns["metadata"] if isinstance(columns["metadata"], dict) else {}
            columns["metadata"] = {key: value for key, value in mine.items() if key != "entity_enrichment"}
            found[table, row_id] = columns
    query = "select group_id::text, artist_id::text, to_jsonb(t) from group_members t"
    for group_id, artist_id, columns in connection.execute(query):
        found["group_members", f"{group_id} {artist_id}"] = columns
    return found


@dataclass(frozen=True)
class Write:
    """One automatic change of one column; `before` is `_ABSENT` where the row itself was created."""

    run: str
    account: str
    before: Any
    after: Any


Wanted = Callable[[Write], bool]


@dataclass
class CatalogModel:
    """The catalog as it stands, and under each column the automatic writes that still stand."""

    rows: Snapshot
    writes: dict[Cell, list[Write]] = field(default_factory=dict)
    ever: list[Write] = field(default_factory=list)
    removed: set[Row] = field(default_factory=set)

    def edited(self, now: Snapshot) -> None:
        """Record what a person did."""
        self.rows = now

    def wrote(self, run: str, account: str, now: Snapshot) -> None:
        """Record that a run decided one account."""
        for row, columns in now.items():
            past = self.rows.get(row)
            for column, value in columns.items():
                before = _ABSENT if past is None else past[column]
                if before != value:
                    write = Write(run, account, before, value)
                    self.writes.setdefault((*row, column), []).append(write)
                    self.ever.append(write)
        self.rows = now

    def undo(self, wanted: Wanted, refused: frozenset[Cell] = frozenset()) -> Left:
        """Take back what was asked for and is still ours; returns what has to be listed.

        `refused` are columns whose earlier value the database does not take.
        """
        left = self._take_back(wanted, refused)
        for row in [row for row in self.rows if self._created(row, wanted)]:
            left = self._uncreate(row, wanted, left)
        return left

    def _take_back(self, wanted: Wanted, refused: frozenset[Cell]) -> Left:
        left: Left = set()
        # Links before roles: a linked account must keep its role.
        for cell in sorted(self.writes, key=lambda cell: cell[2] not in LINKS):
            row, column = cell[:2], cell[2]
            stack = self.writes[cell]
            if not any(wanted(write) for write in stack):
                continue
            origin = next(write.before for write in stack if wanted(write))
            if row not in self.rows:
                if row not in self.removed and not self._created(row, wanted):
                    left.add((*row, None))
                continue
            values = self.rows[row]
            while cell not in refused and stack and wanted(stack[-1]) and values[column] == stack[-1].after:
                before = stack[-1].before
                if before == _ABSENT or (before is None and column == "entity_ig_role" and _linked(values)):
                    break
                values[column] = stack.pop().before
            of_created = origin == _ABSENT
            if any(map(wanted, stack[1:])) if of_created else values[column] != origin:
                left.add(cell)
        return left

    def _uncreate(self, row: Row, wanted: Wanted, left: Left) -> Left:
        values = self.rows[row]
        touched = {
            column
            for column, value in values.items()
            if (stack := self.writes.get((*row, column))) and value != stack[-1].after
        }
        needed = any(_refers(columns, row) for columns in self.rows.values())
        stack = self.writes[(*row, POINTER)] if row[0] != "instagram_accounts" else []
        theirs = values[POINTER] not in (None, stack[0].account)
        if not touched and not needed and not theirs:
            del self.rows[row]
            self.removed.add(row)
            return {item for item in left if item[:2] != row}
        if len(stack) == 1 and values[POINTER] == stack[0].after and stack[0].after is not None:
            values[POINTER] = None
            stack[0] = Write(stack[0].run, stack[0].account, _ABSENT, None)
        whole: Left = {(*row, None)} if needed or (theirs and POINTER not in touched) else set()
        return left | {(*row, column) for column in touched} | whole

    def _created(self, row: Row, wanted: Wanted) -> bool:
        stack = self.writes.get((*row, "id"))
        return bool(stack and stack[0].before == _ABSENT and wanted(stack[0]))


def differing(before: Snapshot, after: Snapshot) -> Left:
    """Columns, and whole rows, in which two states of the catalog differ."""
    found: Left = {(*row, None) for row in before.keys() ^ after.keys()}
    for row in before.keys() & after.keys():
        found |= {(*row, column) for column, value in before[row].items() if after[row][column] != value}
    return found


def _linked(account: Mapping[str, Any]) -> bool:
    return any(account[column] is not None for column in LINKS)


def _refers(columns: Mapping[str, Any], row: Row) -> bool:
    table, row_id = row
    return any(columns.get(column) == row_id for column, other in LINKS.items() if other == table)
