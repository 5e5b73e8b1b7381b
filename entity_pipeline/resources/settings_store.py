"""Every statement that touches `pipeline_settings`; an installation whose columns differ changes this file."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from psycopg.rows import dict_row

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.settings import PLATFORM, Gate, SettingsRow, gate
from entity_pipeline.resources.postgres import PostgresResource

_READ = "select is_enabled, settings, updated_at, updated_by from pipeline_settings where platform = %s"

_SWITCH = """
insert into pipeline_settings (platform, is_enabled, settings, updated_at, updated_by)
values (%(platform)s, %(is_enabled)s, '{}', now(), %(who)s)
on conflict (platform) do update
set is_enabled = excluded.is_enabled, updated_at = excluded.updated_at, updated_by = excluded.updated_by
"""

_SAVE = """
update pipeline_settings set settings = %(settings)s::jsonb, updated_at = now(), updated_by = %(who)s
where platform = %(platform)s
"""


class SettingsStore(dg.ConfigurableResource):
    """The switch and the limits of the pipeline, in the assets database."""

    assets_db: dg.ResourceDependency[PostgresResource]

    def gate(self) -> Gate:
        """Whether the pipeline may work now, within which settings, or why not.

        Raises:
            DatabaseUnavailable: the row can't be read, so nothing may be done.
        """
        return gate(self.row())

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
            connection.execute(
                "insert into pipeline_settings (platform, is_enabled, settings) values (%s, false, '{}') "
                "on conflict (platform) do nothing",
                [PLATFORM],
            )
            row = (
                connection.cursor(row_factory=dict_row)
                .execute("select settings from pipeline_settings where platform = %s for update", [PLATFORM])
                .fetchone()
            )
            changed = edit(row["settings"] if row is not None else {})
            connection.execute(_SAVE, {"platform": PLATFORM, "settings": jsonb_text(changed), "who": who})
        return changed
