"""One domain's rows of `operation.admin_audit_log`: the trail of automatic writes, and the record of its own values.

How a row is built, and the order the rows keep, is in `core/audit.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from entity_pipeline.core.audit import SYSTEM_ACTOR, audit_row
from entity_pipeline.shared.audit.provenance import AuditRow, last_written
from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer

_UNDO = "undo"
_REDO = "redo"

# The whole row, so that undo can tell whether any column of it has changed since.
_THE_ROW = "(select to_jsonb(r) - '{{created_at,updated_at}}'::text[] from {table} r where r.id = %(id)s)"

# With the parameters of `AuditWriter.ours`.
SELECT_OURS = """
select id, target_table, target_id, before_state as before, after_state as after, created_at,
       metadata ->> 'run_id' as run_id, metadata ->> 'account' as account,
       (metadata ->> 'account_id')::uuid as account_id, (metadata ->> 'undoes')::uuid as undoes,
       (metadata ->> 'redoes')::uuid as redoes
from admin_audit_log
where (admin_user_id = %(system)s or action in (%(undo)s, %(redo)s)) and metadata ->> 'pipeline' = %(pipeline)s
"""
_HISTORY = SELECT_OURS + "and target_table = %(table)s and target_id = %(id)s order by created_at, id"


@dataclass(frozen=True, slots=True)
class AuditWriter:
    """Writes and reads the audit rows of one domain; `pipeline` is `Domain.row`.

    A row of another domain is neither read nor undone, even if it is about the same row of the same table.
    """

    pipeline: str

    @property
    def ours(self) -> Mapping[str, Any]:
        """The parameters of `SELECT_OURS`."""
        verbs = {verb: f"{self.pipeline}.{verb}" for verb in (_UNDO, _REDO)}
        return {"system": SYSTEM_ACTOR, "pipeline": self.pipeline, **verbs}

    def insert(
        self,
        connection: psycopg.Connection[Any],
        verb: str,
        *,
        actor: UUID,
        table: str,
        target_id: UUID,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        metadata: Mapping[str, Any],
    ) -> None:
        """One row as `core.audit.audit_row` builds it. Call it in the transaction of the write."""
        statement, values = audit_row(
            self.pipeline,
            verb,
            actor=actor,
            table=table,
            target_id=target_id,
            before=before,
            after=after,
            metadata=metadata,
        )
        connection.execute(statement.encode(), values)

    def insert_undo(
        self,
        connection: psycopg.Connection[Any],
        undone: AuditRow,
        *,
        before: Mapping[str, Any],
        after: Mapping[str, Any] | None,
        metadata: Mapping[str, Any],
        actor: UUID,
    ) -> None:
        """One row for the columns of `undone` that were restored. Call it in the transaction of the write.

        `after` is None for a removed row; else both hold the restored columns only.
        """
        self.insert(
            connection,
            _UNDO,
            actor=actor,
            table=undone.target_table,
            target_id=undone.target_id,
            before=before,
            after=after,
            metadata={**metadata, "undoes": str(undone.id)},
        )

    def insert_redo(
        self,
        connection: psycopg.Connection[Any],
        undo: AuditRow,
        *,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any],
        metadata: Mapping[str, Any],
        actor: UUID,
    ) -> None:
        """One row for the columns of `undo`, an undoing row, that were set again. Call it in the transaction of that.

        `before` is None for a row that was removed and is there again; else both hold those columns only.
        """
        self.insert(
            connection,
            _REDO,
            actor=actor,
            table=undo.target_table,
            target_id=undo.target_id,
            before=before,
            after=after,
            metadata={**metadata, "redoes": str(undo.id)},
        )

    def add(
        self,
        trip: RoundTrip,
        verb: str,
        *,
        table: str,
        target_id: UUID,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        metadata: Mapping[str, Any],
    ) -> None:
        """The row of an automatic write, as part of its round trip.

        `before` is None for a row that was just created. Without `after`, the whole current row is recorded; else both
        hold only the written columns.
        """
        whole = {"after_sql": _THE_ROW.format(table=table)} if after is None else {}
        statement, values = audit_row(
            self.pipeline,
            verb,
            actor=SYSTEM_ACTOR,
            table=table,
            target_id=target_id,
            before=before,
            after=after,
            metadata=metadata,
            **whole,
        )
        trip.add(statement, values)

    def history(self, connection: psycopg.Connection[Any], table: str, target_id: UUID) -> Sequence[AuditRow]:
        """The audit rows of one row, oldest first, undone ones and undoing ones included."""
        with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
            return cursor.execute(_HISTORY, {**self.ours, "table": table, "id": target_id}).fetchall()

    def ask_ours(self, trip: RoundTrip, table: str, target_id: UUID) -> RoundTripAnswer[dict[str, Any]]:
        """The value, as JSON, that our last write that was not undone gave each column of one row."""
        return trip.ask(
            _HISTORY,
            {**self.ours, "table": table, "id": target_id},
            lambda rows: last_written([AuditRow(**row) for row in rows]),
        )
