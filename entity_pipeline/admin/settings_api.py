"""`/api/v1/settings`: every row of `pipeline_settings`, to read and to change."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import Field

from entity_pipeline.admin.api import NEEDS_TOKEN, WITH_TOKEN, Sender, TheShell, problem
from entity_pipeline.admin.changes import SettingsChange, apply_change
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.paths import API_PATH
from entity_pipeline.admin.setting_rows import SettingsPlace, settings_places
from entity_pipeline.admin.shell import Shell
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.settings import Closed, readable

_MISSING: dict[int | str, dict[str, Any]] = {404: problem("There is no such row.")}

router = APIRouter(
    prefix=f"{API_PATH}/settings", tags=["settings"], dependencies=NEEDS_TOKEN, responses=WITH_TOKEN
)


class SettingsFigures(Shown):
    """One row: a domain's, or one that holds for all."""

    name: str = Field(description="What it is called in addresses and commands.")
    is_shared: bool
    is_enabled: bool = Field(description="The switch as stored; false when there is no row.")
    closed_because: Sentence | None = Field(description="Why nothing may work by it now; null when it may.")
    updated_at: datetime | None = Field(description="The version of the row: send it back with a change.")
    updated_by: str | None
    settings: dict[str, Any] = Field(
        description="Every setting in effect; the defaults where none is stored."
    )
    stored: dict[str, Any] = Field(description="Only what is stored, readable or not.")


@router.get("")
def all_settings(shell: TheShell) -> list[SettingsFigures]:
    """Every row, the shared ones first."""
    return [_figures(shell.installation, place) for place in settings_places(shell)]


@router.get("/{name}", responses=_MISSING)
def one_row(shell: TheShell, name: str) -> SettingsFigures:
    """One row."""
    return _figures(shell.installation, _place(shell, name))


@router.patch(
    "/{name}",
    responses=_MISSING | {409: problem("The row was changed meanwhile; `current` is how it is now.")},
)
def change_row(shell: TheShell, sender: Sender, name: str, change: SettingsChange) -> SettingsFigures:
    """Switch on or off, or change settings; refused when the row is not the one the change was made from."""
    place = _place(shell, name)
    apply_change(shell.installation, place.model, change, sender)
    return _figures(shell.installation, place)


def _place(shell: Shell, name: str) -> SettingsPlace:
    for place in settings_places(shell):
        if place.name == name:
            return place
    raise HTTPException(404, "There are no settings of this name.")


def _figures(at: Installation, place: SettingsPlace) -> SettingsFigures:
    row, gate = at.settings.row(place.model), at.settings.gate(place.model)
    stored = json_object(row.settings if row is not None else None)
    return SettingsFigures(
        name=place.name,
        is_shared=place.mounted is None,
        is_enabled=bool(row is not None and row.is_enabled),
        closed_because=gate.reason if isinstance(gate, Closed) else None,
        updated_at=row.updated_at if row is not None else None,
        updated_by=row.updated_by if row is not None else None,
        settings=readable(place.model, row).model_dump(mode="json"),
        stored=dict(stored),
    )
