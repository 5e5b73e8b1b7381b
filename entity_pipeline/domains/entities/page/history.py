"""Rows of the audit log as people read them: who did what, and in which run."""

from entity_pipeline.core.audit import COMMAND_ACTOR, PAGE_ACTOR, SYSTEM_ACTOR
from entity_pipeline.core.run_address import run_address
from entity_pipeline.domains.entities.page.account_values import HistoryRow
from entity_pipeline.domains.entities.page.queries.account import AuditEntry
from entity_pipeline.domains.entities.settings import EntitySettings

_ACTORS = {SYSTEM_ACTOR: "pipeline", PAGE_ACTOR: "page", COMMAND_ACTOR: "command"}
_OURS = f"{EntitySettings.row}."


def history_row(entry: AuditEntry, dagster_url: str | None) -> HistoryRow:
    """One row; a person of another application is only a uuid."""
    return HistoryRow(
        at=entry.created_at,
        action=entry.action,
        verb=entry.action.removeprefix(_OURS) if entry.action.startswith(_OURS) else None,
        by=_ACTORS.get(entry.admin_user_id, str(entry.admin_user_id)),
        who=(entry.who or "").partition(":")[2] or None,
        table=entry.target_table,
        before=entry.before if isinstance(entry.before, dict) else None,
        after=entry.after if isinstance(entry.after, dict) else None,
        run_id=entry.run_id,
        run_url=run_address(dagster_url, entry.run_id),
    )
