"""Undo what was written automatically, one transaction per account.

Reads `admin_audit_log`; writes the rows it names, an audit row for each, and `catalog_link.status`. Values that people
have changed since are left alone and listed. If it is interrupted or run twice, it ends in the same state.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.audit import SYSTEM_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN
from entity_pipeline.domains.entities.links.logic.undo import (
    CHANGED_SINCE,
    GONE,
    OF_ANOTHER,
    POINTER,
    REFUSED,
    KeptColumn,
    Location,
    UndoReport,
    audit_metadata,
    deleted_by_others,
    name_of,
    outstanding,
    restoration,
    touched_columns,
)
from entity_pipeline.domains.entities.links.queries.catalog_rows import ACCOUNTS
from entity_pipeline.domains.entities.links.queries.catalog_write import LinkOutcome
from entity_pipeline.domains.entities.links.queries.undo import (
    accounts_named,
    accounts_of_run,
    full_run_id,
    locked_row,
    mark_undone,
    our_writes,
    references,
    remove,
    restore,
)
from entity_pipeline.shared.audit.provenance import AuditRow
from entity_pipeline.shared.database.refusals import refused_columns

_PIPELINE = Actor(SYSTEM_ACTOR, "pipeline")
_SETTLED = frozenset({LinkOutcome.LINKED, LinkOutcome.CREATED, LinkOutcome.ATTACHED, LinkOutcome.EXCLUDED})


def undo(
    connection: psycopg.Connection[Any],
    *,
    run_id: str | None = None,
    username: str | None = None,
    actor: Actor = _PIPELINE,
    note: Callable[[UUID], object] = lambda _: None,
) -> UndoReport:
    """Undo what a run wrote, or everything written for one account. `actor` goes into the audit rows.

    `note` is called with each account that was undone, for the list. A run may be named by the beginning of its id.

    Raises:
        InputRejected: nothing automatic is recorded under that run or name, or several runs begin so.
    """
    if (run_id is None) == (username is None):
        raise InputRejected("Name either a run or an account to undo.")
    if run_id is not None:
        run_id = full_run_id(connection, run_id)
        accounts, what = accounts_of_run(connection, run_id), f"run {run_id}"
    else:
        accounts, what = accounts_named(connection, username or ""), f"account {username}"
    if not accounts:
        raise InputRejected(
            f"There is nothing to undo: nothing was written automatically for {what}. Check the name."
        )
    report = UndoReport()
    for account_id in accounts:
        with connection.transaction():
            _undo_account(_Undoing(connection, account_id, run_id, actor, report))
        note(account_id)
    return report


def take_back(connection: psycopg.Connection[Any], account_id: UUID) -> UndoReport:
    """Undo all that was written automatically for one account, in the open transaction.

    The account is not marked `undone`, so it is decided again.
    """
    report = UndoReport()
    locked_row(connection, ACCOUNTS, account_id)
    work = _Undoing(connection, account_id, None, _PIPELINE, report)
    _undo_writes(work, our_writes(connection, account_id, None))
    return report


class _Undoing:
    """One account, in one transaction; adds to the report."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        account_id: UUID,
        run_id: str | None,
        actor: Actor,
        report: UndoReport,
    ) -> None:
        self.connection, self.account_id, self.run_id = connection, account_id, run_id
        self.actor, self.report = actor, report

    def record(self, row: AuditRow, before: Mapping[str, Any], after: Mapping[str, Any] | None) -> None:
        metadata = audit_metadata(row, self.account_id, self.actor)
        entity_audit.insert_undo(
            self.connection, row, before=before, after=after, metadata=metadata, actor=self.actor.user_id
        )

    def put_back(self, row: AuditRow, current: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Restore the values, and list those that the database refuses."""

        def write(some: Mapping[str, Any]) -> None:
            restore(self.connection, row.target_table, row.target_id, some)
            self.record(row, {column: current.get(column) for column in some}, some)

        # A linked account must have a role: links go first.
        refused = refused_columns(self.connection, values, write, last=values.keys() - LINK_COLUMN.values())
        self.keep(row, dict.fromkeys(refused, REFUSED))
        if restored := sorted(values.keys() - set(refused)):
            self.report.names[row.target_table, row.target_id] = name_of(current)
            self.report.restored += (Location(row.target_table, row.target_id, column) for column in restored)

    def take_away(self, row: AuditRow, current: Mapping[str, Any]) -> None:
        """Remove a row that we created, and drop the notes about its columns."""
        remove(self.connection, row.target_table, row.target_id)
        self.record(row, current, None)
        place = (row.target_table, row.target_id)
        self.report.kept = [item for item in self.report.kept if (item.table, item.target_id) != place]
        self.report.names[place] = name_of(current)
        self.report.removed.append(Location(*place, None))

    def keep(self, row: AuditRow, reasons: Mapping[str, str]) -> None:
        """List columns that stay unchanged."""
        for column, why in sorted(reasons.items()):
            self._list(KeptColumn(row.target_table, row.target_id, column, why))

    def keep_row(self, row: AuditRow, why: str) -> None:
        """List a whole row."""
        self._list(KeptColumn(row.target_table, row.target_id, None, why))

    def _list(self, kept: KeptColumn) -> None:
        # Once: of several writes to one column, the newest gives the reason.
        listed = {(item.table, item.target_id, item.column) for item in self.report.kept}
        if (kept.table, kept.target_id, kept.column) not in listed:
            self.report.kept.append(kept)


def _undo_account(work: _Undoing) -> None:
    # Locks in the order of links/queries/catalog.py: the account, then entities.
    account = locked_row(work.connection, ACCOUNTS, work.account_id)
    rows = our_writes(work.connection, work.account_id, work.run_id)
    changes_before = len(work.report.restored) + len(work.report.removed)
    _undo_writes(work, rows)
    changed = len(work.report.restored) + len(work.report.removed) > changes_before
    status = link_of(account).get("status")
    was_settled = status in _SETTLED or any(_links(row) for row in rows)
    if status != "undone" and was_settled and (changed or _decided_by(account, rows)):
        mark_undone(work.connection, work.account_id, status)


def _undo_writes(work: _Undoing, rows: Sequence[AuditRow]) -> None:
    undoing = frozenset(row.id for row in rows)
    for table, row_id in sorted({(row.target_table, row.target_id) for row in rows}):
        locked_row(work.connection, table, row_id)
    for row in rows:
        past = entity_audit.history(work.connection, row.target_table, row.target_id)
        current = locked_row(work.connection, row.target_table, row.target_id)
        if current is None:
            if outstanding(row, past) and deleted_by_others(past, undoing):
                work.keep_row(row, GONE)
        elif row.before is None:
            _undo_creation(work, row, past, current)
        else:
            _undo_update(work, row, past, current, undoing)


def _undo_update(
    work: _Undoing,
    row: AuditRow,
    past: Sequence[AuditRow],
    current: Mapping[str, Any],
    undoing: Container[UUID],
) -> None:
    plan = restoration(row, past, current, undoing)
    if plan.values:
        work.put_back(row, current, plan.values)
    work.keep(row, plan.kept)


def _undo_creation(
    work: _Undoing, row: AuditRow, past: Sequence[AuditRow], current: Mapping[str, Any]
) -> None:
    touched = touched_columns(past, current)
    referring = references(work.connection, row.target_table, row.target_id)
    of_another = POINTER not in touched and current.get(POINTER) not in (None, str(row.account_id))
    if not (touched or referring or of_another):
        work.take_away(row, current)
        return
    if POINTER not in touched and not of_another and current.get(POINTER) is not None:
        work.put_back(row, current, {POINTER: None})
    work.keep(row, dict.fromkeys(touched, CHANGED_SINCE))
    if referring:
        work.keep_row(row, f"{' and '.join(referring)} refers to it")
    elif of_another:
        work.keep_row(row, OF_ANOTHER)


def _decided_by(account: Mapping[str, Any] | None, rows: Sequence[AuditRow]) -> bool:
    """Whether the account's current decision is one of those being undone."""
    run_id = link_of(account).get("run_id")
    return run_id is not None and run_id in {row.run_id for row in rows}


def _links(row: AuditRow) -> bool:
    """Whether the write linked the account or wrote to an entity for it. A held account is only classified."""
    return row.target_table != ACCOUNTS or not row.columns.isdisjoint(LINK_COLUMN.values())


def link_of(account: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """`catalog_link` of an account's row; empty where it has none."""
    value: Any = account
    for key in ("metadata", "entity_enrichment", "catalog_link"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return json_object(value)
