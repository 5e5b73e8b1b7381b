"""`settings`: show and change the row of pipeline_settings."""

import getpass
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from entity_pipeline.cli.services import services
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import read_json
from entity_pipeline.core.settings import Closed, PipelineSettings, SettingsRow, gate, parse_settings


def show() -> None:
    """Print the switch, then each setting with where its value comes from."""
    with services() as built:
        row: SettingsRow | None = built.settings.row()
    state = gate(row)
    click.echo("The pipeline is switched on." if not isinstance(state, Closed) else state.reason)
    if row is not None and row.updated_at is not None:
        click.echo(f"Last changed {row.updated_at:%Y-%m-%d %H:%M:%S %Z} by {row.updated_by or 'unknown'}.")
    stored: Mapping[str, Any] = row.settings if row is not None and isinstance(row.settings, Mapping) else {}
    table = Table("setting", "value", "from")
    defaults = PipelineSettings().model_dump(mode="json")
    for name in sorted(defaults | dict(stored)):
        value = stored.get(name, defaults.get(name))
        table.add_row(name, json.dumps(value, ensure_ascii=False), "set" if name in stored else "default")
    Console(soft_wrap=True).print(table)


def switch(is_enabled: bool) -> None:
    """Switch the pipeline on or off."""
    with services() as built:
        built.settings.switch(is_enabled, who())
        state = built.settings.gate()
    click.echo("The pipeline is switched on." if not isinstance(state, Closed) else state.reason)


def change(assignments: Sequence[str]) -> None:
    """Apply all assignments, or none when the result would not be valid."""
    parsed = [parse_assignment(text) for text in assignments]
    with services() as built:
        stored = built.settings.change(lambda current: changed(current, parsed), who())
    click.echo(json.dumps(stored, ensure_ascii=False, indent=2))


def parse_assignment(text: str) -> tuple[list[str], Any]:
    """``"thresholds.brand=0.9"`` as ``(["thresholds", "brand"], 0.9)``; what is no JSON is taken as text.

    Raises:
        InputRejected: there is no ``=`` or no key.
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputRejected(
            f"'{text}' is no assignment: write KEY=VALUE, for example daily_grounding_cap=1200."
        )
    try:
        return keys, read_json(value)
    except ValueError:
        return keys, value


def changed(current: Any, assignments: Sequence[tuple[list[str], Any]]) -> dict[str, Any]:
    """The settings after the assignments, validated as a whole.

    Raises:
        InputRejected: a key is unknown or a value is not allowed; nothing is changed then.
    """
    result: dict[str, Any] = json.loads(json.dumps(current)) if isinstance(current, Mapping) else {}
    for keys, value in assignments:
        place = result
        for key in keys[:-1]:
            inner = place.get(key)
            place[key] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[key]
        place[keys[-1]] = value
    try:
        parse_settings(result)
    except ValueError as error:
        raise InputRejected(f"Nothing was changed: {error}.") from None
    return result


def who() -> str:
    """Who changes something from here, as it is kept."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"
