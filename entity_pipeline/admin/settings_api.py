"""`/api/v1/settings`: every row of `pipeline_settings`, to read and to change."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import Field

from entity_pipeline.admin.api import NEEDS_TOKEN, WITH_TOKEN, Sender, TheShell, problem
from entity_pipeline.admin.changes import SettingsChange, apply_change
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.paths import API_PATH
from entity_pipeline.admin.scheduler import SwitchFigures, switch_values
from entity_pipeline.admin.setting_rows import SettingsPlace, settings_places
from entity_pipeline.admin.shell import Shell

_MISSING: dict[int | str, dict[str, Any]] = {404: problem("There is no row with this name.")}

router = APIRouter(
    prefix=f"{API_PATH}/settings", tags=["settings"], dependencies=NEEDS_TOKEN, responses=WITH_TOKEN
)


class SettingsFigures(SwitchFigures):
    """One row: a domain's, or a shared one."""

    name: str = Field(description="The name of the row in addresses and commands.")
    is_shared: bool


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
    responses=_MISSING
    | {409: problem("The row was changed in the meantime; `current` is its present state.")},
)
def change_row(shell: TheShell, sender: Sender, name: str, change: SettingsChange) -> SettingsFigures:
    """Switch on or off, or change settings; refused when the row has changed since it was read."""
    place = _place(shell, name)
    apply_change(shell.installation, place.model, change, sender)
    return _figures(shell.installation, place)


def _place(shell: Shell, name: str) -> SettingsPlace:
    for place in settings_places(shell):
        if place.name == name:
            return place
    raise HTTPException(404, "There are no settings with this name.")


def _figures(at: Installation, place: SettingsPlace) -> SettingsFigures:
    return SettingsFigures(name=place.name, is_shared=place.mounted is None, **switch_values(at, place.model))
