"""Every statement that touches `pipeline_settings`; an installation whose columns differ changes this file.

Surprising: where other pipelines note people in `updated_by` by their uuid, it can't hold who we are told changed
something; the system actor stands there then.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import dagster as dg

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.settings import (
    PLATFORM,
    Gate,
    PipelineSettings,
    SettingsRow,
    gate,
    readable_settings,
)
from entity_pipeline.resources.postgres import PostgresResource

# The columns that switch and set this pipeline; those of an installation that has other ones stand here.
SWITCH_COLUMN = "is_enabled"
SETTINGS_COLUMN = "settings"

# The actor of the audit log, see docs/schema.md.
SYSTEM_ACTOR = "e7717000-0000-4000-8000-0000e4717195"

# In the column's own type: an assignment of text to a uuid would be refused before it is known what the text is.
_WHO = f"""(jsonb_populate_record(null::pipeline_settings, jsonb_build_object('updated_by',
  case when exists (select from pg_attribute where attrelid = 'pipeline_settings'::regclass
    and attname = 'updated_by' and atttypid = 'uuid'::regtype)
    then '{SYSTEM_ACTOR}' else %(who)s::text end))).updated_by"""

_COLUMNS = f"{SWITCH_COLUMN}, {SETTINGS_COLUMN}, updated_at, updated_by::text"

_READ = f"select {_COLUMNS} from pipeline_settings where platform = %s"

_SWITCH = f"""
insert into pipeline_settings (platform, {SWITCH_COLUMN}, {SETTINGS_COLUMN}, updated_at, updated_by)
values (%(platform)s, %(is_enabled)s, '{{}}', now(), {_WHO})
on conflict (platform) do update
set {SWITCH_COLUMN} = excluded.{SWITCH_COLUMN}, updated_at = excluded.updated_at, updated_by = excluded.updated_by
"""

_SAVE = f"""
update pipeline_settings set {SETTINGS_COLUMN} = %(settings)s::jsonb, updated_at = now(), updated_by = {_WHO}
where platform = %(platform)s
"""

_INSERT_ROW = f"""
insert into pipeline_settings (platform, {SWITCH_COLUMN}, {SETTINGS_COLUMN}) values (%s, false, '{{}}')
on conflict (platform) do nothing
"""

_LOCK_SETTINGS = f"select {SETTINGS_COLUMN} from pipeline_settings where platform = %s for update"

_AMEND = f"""
update pipeline_settings
set {SWITCH_COLUMN} = %(is_enabled)s, {SETTINGS_COLUMN} = %(settings)s::jsonb,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond'), updated_by = {_WHO}
where platform = %(platform)s
returning {_COLUMNS}
"""


class StaleSettings(InputRejected):
    """A change was made from a row that is not there any more; `row` is how it stands, None if it is gone."""

    def __init__(self, row: SettingsRow | None) -> None:
        who = row.updated_by if row is not None else None
        super().__init__(
            f"Nothing was changed: {who or 'somebody'} changed the settings meanwhile. "
            "Look at how they stand now, and make the change again if it is still right."
        )
        self.row = row


class SettingsStore(dg.ConfigurableResource):
    """The switch and the limits of the pipeline, in the assets database."""

    assets_db: dg.ResourceDependency[PostgresResource]

    def gate(self) -> Gate:
        """Whether the pipeline may work now, within which settings, or why not.

        Raises:
            DatabaseUnavailable: the row can't be read, so nothing may be done.
        """
        return gate(self.row())

    def readable(self) -> PipelineSettings:
        """See `core.settings.SettingsReading`.

        Raises:
            DatabaseUnavailable: the row can't be read.
        """
        return readable_settings(self.row())

    def row(self) -> SettingsRow | None:
        """The row as it stands, or None."""
        with self.assets_db.connection() as connection:
            found = connection.execute(_READ, [PLATFORM]).fetchone()
        return SettingsRow(*found) if found else None

    def switch(self, is_enabled: bool, who: str) -> None:
        """Switch the pipeline on or off; creates the row when it is missing."""
        with self.assets_db.connection() as connection:
            connection.execute(_SWITCH, {"platform": PLATFORM, "is_enabled": is_enabled, "who": who})

    def change(self, edit: Callable[[Any], dict[str, Any]], who: str) -> dict[str, Any]:
        """Replace the settings by ``edit(current)``, under a row lock; returns what is stored now.

        `edit` raises `InputRejected` to leave them as they are.
        """
        with self.assets_db.connection() as connection, connection.transaction():
            connection.execute(_INSERT_ROW, [PLATFORM])
            row = connection.execute(_LOCK_SETTINGS, [PLATFORM]).fetchone()
            changed = edit(row[0] if row is not None else {})
            connection.execute(_SAVE, {"platform": PLATFORM, "settings": jsonb_text(changed), "who": who})
        return changed

    def amend(
        self,
        edit: Callable[[SettingsRow | None], tuple[bool, dict[str, Any]]],
        who: str,
        *,
        seen: datetime | None,
        record: Callable[[SettingsRow | None, SettingsRow], None],
    ) -> SettingsRow:
        """Set switch and settings to ``edit(row)`` if the row is still the one of `updated_at` = `seen`.

        `record(before, after)` is called before the change is committed: when it fails, nothing is changed.

        Raises:
            StaleSettings: the row is another one by now.
        """
        with self.assets_db.connection() as connection, connection.transaction():
            is_new = bool(connection.execute(_INSERT_ROW, [PLATFORM]).rowcount)
            found = connection.execute(_READ + " for update", [PLATFORM]).fetchone()
            before = None if is_new or found is None else SettingsRow(*found)
            if (before.updated_at if before is not None else None) != seen:
                raise StaleSettings(before)
            is_enabled, settings = edit(before)
            values = {
                "platform": PLATFORM,
                "is_enabled": is_enabled,
                "settings": jsonb_text(settings),
                "who": who,
            }
            changed = connection.execute(_AMEND, values).fetchone()
            assert changed is not None
            after = SettingsRow(*changed)
            record(before, after)
        return after
