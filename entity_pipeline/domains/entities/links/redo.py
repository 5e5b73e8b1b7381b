"""Take an undo back: set again what it restored, and insert again what it removed, one transaction per account.

Reads the undoing rows of `admin_audit_log`; writes the rows they name, an audit row for each, and
`catalog_link.status`. Values that changed after the undo are left alone and listed. A second redo changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.audit import Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN
from entity_pipeline.domains.entities.links.logic.undo import (
    CHANGED_SINCE,
    GONE,
    REFUSED,
    KeptColumn,
    Location,
    UndoReport,
    audit_metadata,
    name_of,
)
from entity_pipeline.domains.entities.links.queries.catalog_rows import ACCOUNTS
from entity_pipeline.domains.entities.links.queries.undo import (
    full_run_id,
    insert_again,
    locked_row,
    mark_redone,
    restore,
    undoing_rows,
    undone_accounts,
)
from entity_pipeline.domains.entities.links.undo import link_of
from entity_pipeline.shared.audit.provenance import AuditRow, redone_columns
from entity_pipeline.shared.database.refusals import is_taken, refused_columns


def redo(
    connection: psycopg.Connection[Any],
    *,
    actor: Actor,
    run_id: str | None = None,
    username: str | None = None,
    note: Callable[[UUID], object] = lambda _: None,
) -> UndoReport:
    """Take back the undo of a run, or every undo of one account; `restored` are the values that were set again.

    `note` is called with each account that changed. A run may be named by the beginning of its id.

    Raises:
        InputRejected: nothing of that run or account was undone.
    """
    if (run_id is None) == (username is None):
        raise InputRejected("Name either a run or an account.")
    run_id = None if run_id is None else full_run_id(connection, run_id)
    accounts = undone_accounts(connection, run_id, username)
    if not accounts:
        what = f"account {username}" if run_id is None else f"run {run_id}"
        raise InputRejected(f"There is nothing to redo: nothing of {what} was undone. Check the name.")
    report = UndoReport()
    for account_id in accounts:
        with connection.transaction():
            _Redoing(connection, account_id, run_id, actor, report).work()
        note(account_id)
    return report


class _Redoing:
    """One account, in one transaction; adds to the report."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        account_id: UUID,
        run_id: str | None,
        actor: Actor,
        report: UndoReport,
    ) -> None:
        self._connection, self._account_id, self._run_id = connection, account_id, run_id
        self._actor, self._report = actor, report

    def work(self) -> None:
        """Lock in the order of links/queries/catalog.py, the account first, then work through the undoing rows."""
        account = locked_row(self._connection, ACCOUNTS, self._account_id)
        changed = [self._redo(row) for row in undoing_rows(self._connection, self._account_id, self._run_id)]
        link = link_of(account)
        if any(changed) and link.get("status") == "undone":
            mark_redone(self._connection, self._account_id, link.get("before_undo"))

    def _redo(self, undo: AuditRow) -> bool:
        """Take one undoing row back. Returns whether anything changed."""
        place = (undo.target_table, undo.target_id)
        again = redone_columns(entity_audit.history(self._connection, *place))
        if not undo.columns - again.get(undo.id, frozenset()):
            return False
        current = locked_row(self._connection, *place)
        if undo.after is None:
            return current is None and self._insert(undo, undo.before or {})
        if current is None:
            self._keep(undo, None, GONE)
            return False
        wanted = {
            column: value
            for column, value in (undo.before or {}).items()
            if current.get(column) == undo.after.get(column)
        }
        for column in sorted((undo.before or {}).keys() - wanted.keys()):
            self._keep(undo, column, CHANGED_SINCE)
        return bool(wanted) and self._set(undo, current, wanted)

    def _insert(self, undo: AuditRow, row: Mapping[str, Any]) -> bool:
        """Insert a removed row again. Returns whether the database took it."""

        def write() -> None:
            inserted = insert_again(self._connection, undo.target_table, row)
            self._record(undo, None, inserted)

        if not is_taken(self._connection, write):
            self._keep(undo, None, REFUSED)
            return False
        self._report_set(undo, row, [None])
        return True

    def _set(self, undo: AuditRow, current: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Set the values, and list those that the database refuses. Returns whether it took any."""

        def write(some: Mapping[str, Any]) -> None:
            restore(self._connection, undo.target_table, undo.target_id, some)
            self._record(undo, {column: current.get(column) for column in some}, some)

        # A linked account must have a role: the role goes first.
        refused = refused_columns(self._connection, values, write, last=set(LINK_COLUMN.values()))
        for column in refused:
            self._keep(undo, column, REFUSED)
        done = sorted(values.keys() - set(refused))
        if done:
            self._report_set(undo, current, done)
        return bool(done)

    def _record(self, undo: AuditRow, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        metadata = audit_metadata(undo, self._account_id, self._actor)
        entity_audit.insert_redo(
            self._connection, undo, before=before, after=after, metadata=metadata, actor=self._actor.user_id
        )

    def _report_set(self, undo: AuditRow, row: Mapping[str, Any], columns: Sequence[str | None]) -> None:
        place = (undo.target_table, undo.target_id)
        self._report.names[place] = name_of(row)
        self._report.restored += (Location(*place, column) for column in columns)

    def _keep(self, undo: AuditRow, column: str | None, why: str) -> None:
        self._report.kept.append(KeptColumn(undo.target_table, undo.target_id, column, why))
