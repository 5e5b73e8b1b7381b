"""Rows of `pipeline_settings` as a person would have made them before a test begins."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.core.settings import Gate, SettingsModel, SettingsRow, gate
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.domains.entities.settings import EntitySettings

_WRITE = """
insert into pipeline_settings (platform, is_enabled, settings) values (%(row)s, %(on)s, %(settings)s)
on conflict (platform) do update set is_enabled = excluded.is_enabled, settings = excluded.settings
"""


def rows_with(row: SettingsRow | None, **shared: SettingsRow | None) -> dict[str, SettingsRow]:
    """Stored rows: that of the entities domain, and the shared ones as a migration makes them unless given."""
    found = {model.row: SettingsRow(True, {}) for model in SHARED_ROWS} | {EntitySettings.row: row} | shared
    return {name: stored for name, stored in found.items() if stored is not None}


def entities_gate(row: SettingsRow | None, **shared: SettingsRow | None) -> Gate[EntitySettings]:
    """The gate of the entities domain over those rows."""
    return gate(EntitySettings, rows_with(row, **shared))


def put_row(
    connection: psycopg.Connection[Any], model: type[SettingsModel], settings: Any, *, on: bool | None = True
) -> None:
    """The row of `model`, whether it is there or not; `settings` may be any JSON value."""
    connection.execute(_WRITE, {"row": model.row, "on": on, "settings": Jsonb(settings)})


def split_rows(settings: Mapping[str, Any]) -> dict[type[SettingsModel], dict[str, Any]]:
    """Settings by the names that they had in one row, by the row that holds them now; all four rows are there."""
    rows: dict[type[SettingsModel], dict[str, Any]] = {model: {} for model in (*SHARED_ROWS, EntitySettings)}
    for name, value in settings.items():
        model, key = EntitySettings.moved.get(name, (EntitySettings, name))
        rows[model].update({key: value} if key else value)
    return rows


def put_rows(connection: psycopg.Connection[Any], *, on: bool = True, **settings: Any) -> None:
    """Every row of the entities domain, see `split_rows`. `on` is the domain's switch; the shared rows are on.

    What limits the domain is there before it is switched on.
    """
    for model, row in split_rows(settings).items():
        put_row(connection, model, row, on=on if model is EntitySettings else True)
