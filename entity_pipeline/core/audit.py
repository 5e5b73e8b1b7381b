"""Who changed something, and the one statement that says so in `operation.admin_audit_log`.

The log asks for an administrator's uuid, which neither the pipeline nor a person with a token or a shell has: fixed
actors stand in. What a row of the log means to a domain (undo, provenance) belongs in `shared/audit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import jsonb_text

# None of these is a person's user id.
SYSTEM_ACTOR = UUID("e7717000-0000-4000-8000-0000e4717195")  # automatic writes
PAGE_ACTOR = UUID("e7717000-0000-4000-8000-0000ad314900")  # somebody with ADMIN_TOKEN
COMMAND_ACTOR = UUID("e7717000-0000-4000-8000-0000c033a4d0")  # somebody at a command line

# `created_at` is the moment of writing, not of the transaction's start, so that writers who waited for each other leave
# their rows in the order in which they wrote. `{after}` is SQL: a parameter, or the row itself.
INSERT = """
insert into admin_audit_log
    (admin_user_id, action, target_table, target_id, before_state, after_state, metadata, created_at)
values (%(actor)s, %(action)s, %(table)s, %(id)s, %(before)s::jsonb, {after}, %(metadata)s::jsonb, clock_timestamp())
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: a fixed `user_id`, by which channel ("cli", "page", "demo"), and the name they gave."""

    user_id: UUID
    channel: str
    name: str = ""

    @property
    def label(self) -> str:
        """``"cli:mina"``, for columns that hold text."""
        return f"{self.channel}:{self.name}" if self.name else self.channel


def write_audit_row(
    connection: Any,
    *,
    actor: UUID,
    action: str,
    table: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """One row about a change to a table whose keys are not uuids; `before` is None for a created row."""
    values = {
        "actor": actor,
        "action": action,
        "table": table,
        "id": None,
        "before": None if before is None else jsonb_text(before),
        "after": jsonb_text(after),
        "metadata": jsonb_text(metadata),
    }
    connection.execute(INSERT.format(after="%(after)s::jsonb"), values)
