"""The row `instagram` of `pipeline_settings`, as a test wants it."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.core.instagram.settings import InstagramWindows

OPEN = InstagramWindows(gap_s=0, jitter_s=(0, 0), per_minute=1_000, per_hour=1_000, per_day=1_000)


def changed(windows: InstagramWindows, **fields: Any) -> InstagramWindows:
    """The windows with some of them changed."""
    return InstagramWindows(**(windows.model_dump() | fields))


def permit(
    connection: "psycopg.Connection[Any]",
    windows: InstagramWindows = OPEN,
    *,
    enabled: bool = True,
    acknowledged: bool = True,
    shares: Mapping[str, float] | None = None,
) -> None:
    """Write the row, unless it says this already: then not even its lock is taken."""
    settings = {
        "terms_acknowledged": acknowledged,
        "windows": windows.model_dump(mode="json"),
        "shares": dict(shares or {}),
    }
    write_row(connection, enabled, settings)


def write_row(connection: "psycopg.Connection[Any]", enabled: bool | None, settings: Any) -> None:
    """Write anything as the row."""
    found = connection.execute(
        "select is_enabled, settings from pipeline_settings where platform = 'instagram'"
    ).fetchone()
    if found != (enabled, settings):
        connection.execute(
            "insert into pipeline_settings (platform, is_enabled, settings) values ('instagram', %s, %s) "
            "on conflict (platform) do update set is_enabled = excluded.is_enabled, settings = excluded.settings",
            [enabled, Jsonb(settings)],
        )
