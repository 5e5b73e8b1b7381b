"""The one kind of change that pages and the API make: of a settings row, in the visitor's name."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from entity_pipeline.admin.access import Visitor
from entity_pipeline.admin.installation import Installation
from entity_pipeline.core.audit import PAGE_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.settings import SettingsModel, SettingsRow
from entity_pipeline.core.settings_change import Edit, assignments_of, edit_of


class SettingsChange(BaseModel):
    """A change of the switch or of some settings, made from a row as it was at `updated_at`.

    `settings` is merged into what is stored; a nested object is merged too. A null restores the default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    updated_at: datetime | None = Field(
        description="`updated_at` of the row the change was made from; null when there was no row."
    )
    is_enabled: bool | None = None
    settings: dict[str, Any] | None = None


def apply_change(
    at: Installation, model: type[SettingsModel], change: SettingsChange, visitor: Visitor
) -> SettingsRow:
    """Make a change that was sent to the API.

    Raises:
        InputRejected: a value is not allowed, or the change is empty; nothing was changed.
        StaleSettings: the row was changed in the meantime; the failure has its present state.
    """
    if change.is_enabled is None and not change.settings:
        raise InputRejected("Nothing was changed: give a value for is_enabled or settings.")
    edit = edit_of(model, list(assignments_of(change.settings or {})), is_enabled=change.is_enabled)
    return change_settings(at, model, edit, visitor, change.updated_at)


def change_settings(
    at: Installation, model: type[SettingsModel], edit: Edit, visitor: Visitor, seen: datetime | None
) -> SettingsRow:
    """Change the row and record it; `seen` is the version that the change was made from. Raises as `apply_change`."""
    return at.settings.change(model, edit, Actor(PAGE_ACTOR, "page", visitor.name), seen)
