"""The settings row that a person would have made before the command runs."""

from typing import Any

from psycopg.types.json import Jsonb

from entity_pipeline_tests.databases import ClonedDatabase


def write_settings(database: ClonedDatabase, *, enabled: bool = True, **settings: Any) -> None:
    """The row of `pipeline_settings`, whether it is there or not."""
    with database.connection() as connection:
        connection.execute(
            "insert into pipeline_settings (platform, is_enabled, settings) "
            "values ('entity_enrichment', %(on)s, %(settings)s) on conflict (platform) "
            "do update set is_enabled = excluded.is_enabled, settings = excluded.settings",
            {"on": enabled, "settings": Jsonb(settings)},
        )
