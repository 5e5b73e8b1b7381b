"""What a change of the settings leaves in `operation.admin_audit_log`.

The log asks for the uuid of an administrator, and whoever signs in with ADMIN_TOKEN has none. So each change has
one fixed actor that means "somebody with the token", and the name they gave in `metadata.who`, not proven.
Surprising: settings and log are in two databases. The row of the log is written first, before the change is
committed: no change is without a row, and after a crash in between a row may be without its change. Its
`after_state.updated_at` then is in no row of `pipeline_settings`.
"""

from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import PLATFORM, SettingsRow

# Nobody's user id, and not the one of automatic writes.
PAGE_ACTOR = UUID("e7717000-0000-4000-8000-0000ad314900")
ACTION = f"{PLATFORM}.settings"
TABLE = "pipeline_settings"

_INSERT = """
insert into admin_audit_log (admin_user_id, action, target_table, target_id, before_state, after_state, metadata,
  created_at)
values (%(actor)s, %(action)s, %(table)s, null, %(before)s::jsonb, %(after)s::jsonb, %(metadata)s::jsonb,
  clock_timestamp())
"""


def record_change(operation_db: Database, before: SettingsRow | None, after: SettingsRow, who: str) -> None:
    """One row for one change. Raises `DatabaseUnavailable`, and then the change must not be made."""
    values = {
        "actor": PAGE_ACTOR,
        "action": ACTION,
        "table": TABLE,
        "before": None if before is None else jsonb_text(_state(before)),
        "after": jsonb_text(_state(after)),
        "metadata": jsonb_text({"pipeline": PLATFORM, "who": who}),
    }
    with operation_db.connection() as connection:
        connection.execute(_INSERT, values)


def _state(row: SettingsRow) -> dict[str, Any]:
    at = row.updated_at
    return {
        "is_enabled": row.is_enabled,
        "settings": row.settings,
        "updated_at": None if at is None else at.isoformat(),
        "updated_by": row.updated_by,
    }
