"""Who made a change, and the one statement that records it in `operation.admin_audit_log`.

The log requires an administrator's uuid, which neither the pipeline nor a person with a token or a shell has, so fixed
actors stand in. What a row of the log means to a domain (undo, provenance) belongs in `shared/audit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import jsonb_text

# None of these is a person's user id.
SYSTEM_ACTOR = UUID("e7717000-0000-4000-8000-0000e4717195")  # automatic writes
PAGE_ACTOR = UUID("e7717000-0000-4000-8000-0000ad314900")  # a person with ADMIN_TOKEN
COMMAND_ACTOR = UUID("e7717000-0000-4000-8000-0000c033a4d0")  # a person at a command line

# `created_at` is the moment of writing, not of the transaction's start, so that writers who waited for each other leave
# their rows in the order in which they wrote.
_INSERT = """
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


def audit_row(
    pipeline: str,
    verb: str,
    *,
    actor: UUID,
    table: str,
    target_id: UUID | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
    after_sql: str = "%(after)s::jsonb",
) -> tuple[str, dict[str, Any]]:
    """The statement that adds one row, and its parameters. Run it in the transaction of the write, or before it.

    The action is ``"<pipeline>.<verb>"``. `before` is None for a created row, `after` None for a removed one.
    `target_id` is None where the keys of the table are not uuids. `after_sql` replaces `after` where only SQL has
    the row.
    """
    return _INSERT.format(after=after_sql), {
        "actor": actor,
        "action": f"{pipeline}.{verb}",
        "table": table,
        "id": target_id,
        "before": None if before is None else jsonb_text(before),
        "after": None if after is None else jsonb_text(after),
        "metadata": jsonb_text({"pipeline": pipeline, **metadata}),
    }
