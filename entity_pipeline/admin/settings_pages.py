"""`/admin/settings` and the form of each row. The rules of a form belong to `settings_form.py`.

An invalid value is reported beside its field. If another person changed the row in the meantime, nothing is saved and
both values are shown.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse, Response

from entity_pipeline.admin.access import CSRF_FIELD
from entity_pipeline.admin.changes import change_settings
from entity_pipeline.admin.forms import CsrfToken, Fields, ShortText, version_of
from entity_pipeline.admin.paths import SETTINGS_PATH
from entity_pipeline.admin.scheduler import SwitchFigures, switch_values
from entity_pipeline.admin.screen import Screen, SignedIn
from entity_pipeline.admin.setting_rows import SettingsPlace, place_at, settings_places
from entity_pipeline.admin.settings_form import (
    Filled,
    fields_of,
    read_settings_form,
    typed_values,
    value_of,
    without_field,
)
from entity_pipeline.admin.shell import MountedPage
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Closed, SettingsModel, SettingsRow, readable
from entity_pipeline.core.settings_change import StaleSettings, assignments_of, edit_of

router = APIRouter()

# The message after switching off a row that stops no work.
_SWITCHED_OFF: Mapping[type[SettingsModel], str] = {NotifySettings: "alerts_off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A form to show: the values of the fields, their earlier values, and the problems."""

    given: Mapping[str, str]
    was: Mapping[str, str]
    updated_at: datetime | None
    problems: Mapping[str, str] = field(default_factory=dict)
    conflict: SettingsRow | None = None
    refused: str | None = None
    unreadable: Reason | None = None


@router.get(SETTINGS_PATH)
def all_settings(screen: SignedIn, done: str = "") -> Response:
    """Every row with its switch."""
    at = screen.shell.installation
    rows = [(place, at.settings.row(place.model)) for place in settings_places(screen.shell)]
    known = done if done in ("on", "off", "alerts_off", "saved", "nothing") else None
    return screen.show("settings_list.html", rows=rows, done=known)


@router.get(SETTINGS_PATH + "/{name}")
def settings_page(screen: SignedIn) -> Response:
    """The row as a form."""
    place, at = _place(screen), screen.shell.installation
    row, gate = at.settings.row(place.model), at.settings.gate(place.model)
    unreadable = gate.reason if isinstance(gate, Closed) and row is not None and row.is_enabled else None
    shown = typed_values(place.model, readable(place.model, row))
    version = row.updated_at if row is not None else None
    return _show(screen, place, 200, _Form(given=shown, was=shown, updated_at=version, unreadable=unreadable))


@router.post(SETTINGS_PATH + "/{name}")
def save_settings(screen: SignedIn, sent: Fields) -> Response:
    """Save the changes."""
    visitor, place = screen.checked(sent.get(CSRF_FIELD)), _place(screen)
    was = {one.name: sent.get(f"was.{one.name}", "") for one in fields_of(place.model)}
    seen = version_of(sent.get("updated_at", ""))
    filled = read_settings_form(place.model, sent, was)
    if filled.problems:
        form = _Form(given=filled.given, was=was, updated_at=seen, problems=filled.problems)
        return _show(screen, place, 422, form)
    if not filled.settings:
        return _back(place, "nothing")
    edit = edit_of(place.model, list(assignments_of(filled.settings)))
    try:
        change_settings(screen.shell.installation, place.model, edit, visitor, seen)
    except StaleSettings as stale:
        return _show(screen, place, 409, _both(place, filled, was, stale.row))
    except InputRejected as error:
        return _show(
            screen, place, 422, _Form(given=filled.given, was=was, updated_at=seen, refused=str(error))
        )
    return _back(place, "saved")


@router.post(SETTINGS_PATH + "/{name}/switch")
def switch_row(
    screen: SignedIn, csrf_token: CsrfToken, is_enabled: ShortText, updated_at: ShortText = ""
) -> Response:
    """Switch a shared row on or off."""
    visitor, place, wanted = screen.checked(csrf_token), _place(screen), is_enabled == "true"
    edit = edit_of(place.model, is_enabled=wanted)
    try:
        change_settings(screen.shell.installation, place.model, edit, visitor, version_of(updated_at))
    except StaleSettings as stale:
        shown = typed_values(place.model, readable(place.model, stale.row))
        version = stale.row.updated_at if stale.row is not None else None
        conflict = stale.row or SettingsRow(None, None)
        form = _Form(given=shown, was=shown, updated_at=version, conflict=conflict)
        return _show(screen, place, 409, form)
    return _back(place, "on" if wanted else _SWITCHED_OFF.get(place.model, "off"))


def settings_of(mounted: MountedPage) -> APIRouter:
    """The same form below a domain's page."""
    own = APIRouter()
    own.add_api_route(f"{mounted.own_path}/settings", settings_page, methods=["GET"])
    own.add_api_route(f"{mounted.own_path}/settings", save_settings, methods=["POST"])
    return own


def _place(screen: Screen) -> SettingsPlace:
    place = place_at(screen.shell, screen.request.url.path)
    if place is None:
        raise HTTPException(404, "There are no settings with this name.")
    return place


def _back(place: SettingsPlace, done: str) -> Response:
    if place.mounted is not None:
        return RedirectResponse(f"{place.mounted.path}?done={done}#scheduler", 303)
    return RedirectResponse(f"{SETTINGS_PATH}?done={done}", 303)


def _both(place: SettingsPlace, filled: Filled, was: Mapping[str, str], stored: SettingsRow | None) -> _Form:
    """The form after a conflict: unchanged fields show the current value, changed ones both."""
    now = typed_values(place.model, readable(place.model, stored))
    given = {name: typed if typed != was[name] else now[name] for name, typed in filled.given.items()}
    version = stored.updated_at if stored is not None else None
    return _Form(given=given, was=now, updated_at=version, conflict=stored or SettingsRow(None, None))


def _show(screen: Screen, place: SettingsPlace, status: int, form: _Form) -> Response:
    values: dict[str, Any] = {"place": place, "fields": fields_of(place.model), "form": form}
    if place.mounted is None:
        values["switch"] = SwitchFigures(**switch_values(screen.shell.installation, place.model))
    values["by_command"] = _by_command(screen, place)
    return screen.show("settings.html", status, **values)


def _by_command(screen: Screen, place: SettingsPlace) -> list[tuple[str, str]]:
    """The settings without a field, each with the command that stores its current value."""
    stored = readable(place.model, screen.shell.installation.settings.row(place.model))
    values = stored.model_dump(mode="json")
    found = []
    for name in without_field(place.model):
        assignment = f"{name}={json.dumps(value_of(values, name), ensure_ascii=False)}"
        found.append((name, f"entity-pipeline settings set {place.name} {shlex.quote(assignment)}"))
    return found
