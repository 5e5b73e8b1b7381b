"""Our rows of `operation.admin_audit_log`: the trail of automatic writes, and the memory of what is ours.

The insert itself, and the order it keeps, is in `core/audit.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from entity_pipeline.core.audit import INSERT, SYSTEM_ACTOR
from entity_pipeline.core.settings import PLATFORM
from entity_pipeline.shared.audit.provenance import AuditRow, last_written
from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer

UNDO_ACTION = f"{PLATFORM}.undo"

# The whole row, so that undo can tell whether anybody has touched any column of it.
_THE_ROW = "(select to_jsonb(r) - '{{created_at,updated_at}}'::text[] from {table} r where r.id = %(id)s)"

SELECT_OURS = """
select id, target_table, target_id, before_state as before, after_state as after, created_at,
       metadata ->> 'run_id' as run_id, metadata ->> 'account' as account,
       (metadata ->> 'account_id')::uuid as account_id, (metadata ->> 'undoes')::uuid as undoes
from admin_audit_log
where (admin_user_id = %(system)s or action = %(undo)s) and metadata ->> 'pipeline' = %(pipeline)s
"""
OURS = {"system": SYSTEM_ACTOR, "undo": UNDO_ACTION, "pipeline": PLATFORM}

_HISTORY = SELECT_OURS + "and target_table = %(table)s and target_id = %(id)s order by created_at, id"


def insert_audit(
    connection: psycopg.Connection[Any],
    *,
    action: str,
    table: str,
    target_id: UUID,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
    actor: UUID = SYSTEM_ACTOR,
) -> None:
    """One row for one written row. Call it in the transaction of the write.

    `before` is None for a created row, `after` None for a removed one; else both hold the written columns
    only.
    """
    values = _values(action, table, target_id, before, metadata, actor)
    values["after"] = None if after is None else Jsonb(dict(after))
    connection.execute(INSERT.format(after="%(after)s").encode(), values)


def add_audit(
    trip: RoundTrip,
    *,
    action: str,
    table: str,
    target_id: UUID,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
) -> None:
    """The same as part of a round trip. Without `after` it is the whole row as it stands, for one just created."""
    values = _values(action, table, target_id, before, metadata, SYSTEM_ACTOR)
    if after is None:
        trip.add(INSERT.format(after=_THE_ROW.format(table=table)), values)
    else:
        trip.add(INSERT.format(after="%(after)s"), values | {"after": Jsonb(dict(after))})


def history(connection: psycopg.Connection[Any], table: str, target_id: UUID) -> Sequence[AuditRow]:
    """Our audit rows of one row, oldest first, undone ones and undoing ones included."""
    with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        return cursor.execute(_HISTORY, {**OURS, "table": table, "id": target_id}).fetchall()


def ask_ours(trip: RoundTrip, table: str, target_id: UUID) -> RoundTripAnswer[dict[str, Any]]:
    """What our last write that was not undone left in each column of one row, as JSON values."""
    return trip.ask(
        _HISTORY,
        {**OURS, "table": table, "id": target_id},
        lambda rows: last_written([AuditRow(**row) for row in rows]),
    )


def _values(
    action: str,
    table: str,
    target_id: UUID,
    before: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
    actor: UUID,
) -> dict[str, Any]:
    return {
        "actor": actor,
        "action": action,
        "table": table,
        "id": target_id,
        "before": None if before is None else Jsonb(dict(before)),
        "metadata": Jsonb({"pipeline": PLATFORM, **metadata}),
    }
