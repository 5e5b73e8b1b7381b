"""A domain's switch with its settings, and Dagster's ticks and runs: the scheduler's part of every page.

The runs that a domain would launch next belong to its page, whose figures extend these.
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from entity_pipeline.admin.dagster_figures import DagsterFigures
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.settings import Closed, SettingsModel, SettingsRow, readable


class SwitchState(Shown):
    """The switch of a row, and whether it lets work begin."""

    is_enabled: bool = Field(description="The switch as stored, or its default when there is no row.")
    is_open: bool = Field(description="Whether work may begin: switched on, with every setting readable.")
    closed_because: Sentence | None = Field(description="A sentence while `is_open` is false.")
    updated_at: datetime | None = Field(description="The version of the row; send it back with a change.")
    updated_by: str | None


class SwitchFigures(SwitchState):
    """The same with the settings of the row."""

    settings: dict[str, Any] = Field(
        description="Every setting in effect; the defaults where none is stored."
    )
    stored: dict[str, Any] = Field(description="Only the stored settings, readable or not.")


class AutomationFigures(SwitchFigures):
    """The same with Dagster's ticks and runs."""

    dagster: DagsterFigures
    as_of: datetime


def switch_state(at: Installation, model: type[SettingsModel], row: SettingsRow | None) -> dict[str, Any]:
    """The values of `SwitchState`, for figures that extend it; `row` is the row as it is stored."""
    gate = at.settings.gate(model)
    return {
        "is_enabled": model.is_on(row),
        "is_open": not isinstance(gate, Closed),
        "closed_because": gate.reason if isinstance(gate, Closed) else None,
        "updated_at": row.updated_at if row is not None else None,
        "updated_by": row.updated_by if row is not None else None,
    }


def switch_values(at: Installation, model: type[SettingsModel]) -> dict[str, Any]:
    """The values of `SwitchFigures`, for figures that have more."""
    row = at.settings.row(model)
    return {
        **switch_state(at, model, row),
        "settings": readable(model, row).model_dump(mode="json"),
        "stored": dict(json_object(row.settings if row is not None else None)),
    }
