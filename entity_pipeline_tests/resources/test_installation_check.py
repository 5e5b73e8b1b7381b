"""What `doctor` warns of in an installation that still works."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from entity_pipeline.migrations.files import files_of
from entity_pipeline.resources.installation_check import clock_skew_s, former_settings

Connection = psycopg.Connection[Any]


def test_a_migrated_database_has_no_former_settings(assets: Connection) -> None:
    assert list(former_settings(assets)) == []


def test_a_switch_and_settings_of_former_names_are_named(assets: Connection) -> None:
    assets.execute(
        "drop table pipeline_settings; "
        "create table pipeline_settings (platform text primary key, label text, enabled boolean, config jsonb)"
    )
    [file] = [file for file in files_of("assets") if file.name.endswith("_pipeline_settings.sql")]
    assets.execute(file.sql.encode())
    assets.execute("alter table pipeline_settings add column is_shown boolean, add column notes jsonb")
    [sentence] = former_settings(assets)
    assert "older columns that look like a switch or settings (enabled, config)" in sentence
    assert "only is_enabled and settings count" in sentence
    assets.execute("alter table pipeline_settings drop column enabled, drop column config")
    assert list(former_settings(assets)) == []


def test_the_skew_of_a_clock_is_seen_in_both_directions(assets: Connection) -> None:
    fast = clock_skew_s(assets, lambda: datetime.now(UTC) + timedelta(hours=1))
    slow = clock_skew_s(assets, lambda: datetime.now(UTC) - timedelta(hours=1))
    assert (round(fast / 60), round(slow / 60)) == (-60, 60)
