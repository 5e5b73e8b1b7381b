"""The settings rows that a person would have made before the command runs."""

from typing import Any

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.settings_rows import put_rows


def write_settings(database: ClonedDatabase, *, enabled: bool = True, **settings: Any) -> None:
    """The rows of `pipeline_settings`, whether they are there or not; see `put_rows`."""
    with database.connection() as connection:
        put_rows(connection, on=enabled, **settings)
