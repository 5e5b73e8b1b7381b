"""Every statement that touches `pipeline_settings`; an installation whose columns differ changes this file.

Settings and audit log are in two databases. The row of the log is written before the change is committed, so every
change has its row. After a crash in between, a row may lack its change; its `after_state.updated_at` is then in no row
of `pipeline_settings`.
"""

from typing import Any

import dagster as dg

from entity_pipeline.core.audit import Actor, audit_row
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.settings import (
    DomainSettings,
    Gate,
    S,
    SettingsModel,
    SettingsRow,
    Version,
    gate,
    readable,
    row_names,
)
from entity_pipeline.core.settings_change import Edit, NewRow, StaleSettings
from entity_pipeline.resources.postgres import PostgresResource

TABLE = "pipeline_settings"
# The columns of the switch and the settings; an installation with other columns names them here.
SWITCH_COLUMN = "is_enabled"
SETTINGS_COLUMN = "settings"

# For code that reads a row within its own transaction.
SWITCH_AND_SETTINGS = f"select {SWITCH_COLUMN}, {SETTINGS_COLUMN} from pipeline_settings where platform = %s"

# Cast to the column's type: where other pipelines record people by uuid, text would be refused at plan time.
_WHO = f"""(jsonb_populate_record(null::{TABLE}, jsonb_build_object('updated_by',
  case when exists (select from pg_attribute where attrelid = '{TABLE}'::regclass
    and attname = 'updated_by' and atttypid = 'uuid'::regtype)
    then %(user_id)s::text else %(who)s::text end))).updated_by"""

_COLUMNS = f"{SWITCH_COLUMN}, {SETTINGS_COLUMN}, updated_at, updated_by::text"
_READ = f"select {_COLUMNS} from {TABLE} where platform = %s"
_READ_SOME = f"select platform, {_COLUMNS} from {TABLE} where platform = any(%s)"

_INSERT_ROW = f"""
insert into {TABLE} (platform, {SWITCH_COLUMN}, {SETTINGS_COLUMN}) values (%s, false, '{{}}')
on conflict (platform) do nothing
"""

_CHANGE = f"""
update {TABLE}
set {SWITCH_COLUMN} = %(is_enabled)s, {SETTINGS_COLUMN} = %(settings)s::jsonb,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond'), updated_by = {_WHO}
where platform = %(platform)s
returning {_COLUMNS}
"""


def rewrite(connection: Any, model: type[SettingsModel], who: Actor) -> None:
    """Write the row as it is, in the caller's transaction, which may roll it back; a missing row is created."""
    connection.execute(_INSERT_ROW, [model.row])
    is_enabled, settings, *_ = connection.execute(_READ, [model.row]).fetchone()
    same = NewRow(settings=settings, is_enabled=is_enabled)
    connection.execute(_CHANGE, _values(model, same, who))


class SettingsStore(dg.ConfigurableResource):
    """The rows of switches and limits, in the assets database. A settings model names its row."""

    assets_db: dg.ResourceDependency[PostgresResource]
    operation_db: dg.ResourceDependency[PostgresResource]

    def gate(self, model: type[S]) -> Gate[S]:
        """Whether work may begin now, within which settings, or why not; see `core.settings.gate`.

        Raises:
            DatabaseUnavailable: the rows can't be read, so nothing may be done.
        """
        with self.assets_db.connection() as connection:
            found = connection.execute(_READ_SOME, [row_names(model)]).fetchall()
        return gate(model, {platform: SettingsRow(*columns) for platform, *columns in found})

    def readable(self, model: type[S]) -> S:
        """See `core.settings.readable`.

        Raises:
            DatabaseUnavailable: the row can't be read.
        """
        return readable(model, self.row(model))

    def row(self, model: type[SettingsModel]) -> SettingsRow | None:
        """The row as it is stored, or None."""
        with self.assets_db.connection() as connection:
            found = connection.execute(_READ, [model.row]).fetchone()
        return SettingsRow(*found) if found else None

    def change(self, model: type[SettingsModel], edit: Edit, who: Actor, seen: Version | None) -> SettingsRow:
        """See `core.settings_change.SettingsWriter`. A missing row is created; its `seen` is None.

        Raises:
            StaleSettings: the row no longer has `updated_at` = `seen`.
            DatabaseUnavailable: a database is away, the audit log's included; nothing was changed.
        """
        with self.assets_db.connection() as connection, connection.transaction():
            is_new = bool(connection.execute(_INSERT_ROW, [model.row]).rowcount)
            found = connection.execute(_READ + " for update", [model.row]).fetchone()
            before = None if is_new or found is None else SettingsRow(*found)
            if (before.updated_at if before is not None else None) != seen:
                raise StaleSettings(before)
            wanted = edit(before)
            if issubclass(model, DomainSettings):
                self._check_beside(model, before, wanted)
            values = _values(model, wanted, who)
            changed = connection.execute(_CHANGE, values).fetchone()
            assert changed is not None
            after = SettingsRow(*changed)
            self._record(model, before, after, who)
        return after

    def _check_beside(self, model: type[DomainSettings], before: SettingsRow | None, wanted: NewRow) -> None:
        """Refuse settings that contradict a shared row, unless they did so before."""
        reason = readable(model, SettingsRow(None, wanted.settings)).refused_beside(self.readable)
        if reason is not None and readable(model, before).refused_beside(self.readable) is None:
            raise InputRejected(f"Nothing was changed: {reason}")

    def _record(
        self, model: type[SettingsModel], before: SettingsRow | None, after: SettingsRow, who: Actor
    ) -> None:
        with self.operation_db.connection() as connection:
            statement, values = audit_row(
                model.row,
                "settings",
                actor=who.user_id,
                table=TABLE,
                target_id=None,
                before=None if before is None else _state(before),
                after=_state(after),
                metadata={"who": who.name or who.channel, "channel": who.channel},
            )
            connection.execute(statement.encode(), values)


def _values(model: type[SettingsModel], wanted: NewRow, who: Actor) -> dict[str, Any]:
    return {
        "platform": model.row,
        "is_enabled": wanted.is_enabled,
        "settings": jsonb_text(wanted.settings),
        "who": who.label,
        "user_id": str(who.user_id),
    }


def _state(row: SettingsRow) -> dict[str, Any]:
    at = row.updated_at
    return {
        "is_enabled": row.is_enabled,
        "settings": row.settings,
        "updated_at": None if at is None else at.isoformat(),
        "updated_by": row.updated_by,
    }
