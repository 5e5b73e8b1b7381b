"""`settings`: show and change the rows of pipeline_settings. The domains come from the caller, never from an import."""

import getpass
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from entity_pipeline.cli.services import services
from entity_pipeline.core.audit import COMMAND_ACTOR, Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import json_object, read_json
from entity_pipeline.core.settings import (
    Closed,
    DomainSettings,
    SettingsModel,
    SettingsRow,
    parse,
)
from entity_pipeline.core.settings_change import Assignment, Edit, StaleSettings, changed, edit_of
from entity_pipeline.core.shared_settings import SHARED_ROWS

Domains = Sequence[type[DomainSettings]]
# Each attempt starts from the current row and sets only its own keys, so no other change is lost.
_ATTEMPTS = 20


def show(domains: Domains, name: str | None = None) -> None:
    """Print the switch of each row, then each setting with the origin of its value."""
    models = [*domains, *SHARED_ROWS] if name is None else [_row_named(name, domains)]
    with services() as built:
        for model in models:
            row = built.settings.row(model)
            click.echo(f"{model.name}: {_standing(built.settings.gate(model), model)}")
            if row is not None and row.updated_at is not None:
                click.echo(
                    f"Last changed {row.updated_at:%Y-%m-%d %H:%M:%S %Z} by {row.updated_by or 'unknown'}."
                )
            Console(soft_wrap=True).print(_table(model, row))


def switch(domains: Domains, name: str | None, is_enabled: bool) -> None:
    """Switch a row on or off."""
    model = _row_named(name, domains)
    with services() as built:
        change_row(built.settings, model, edit_of(model, is_enabled=is_enabled))
        click.echo(_standing(built.settings.gate(model), model))


def set_values(domains: Domains, arguments: Sequence[str]) -> None:
    """``[NAME] KEY=VALUE ...``: apply all assignments, or none when the result would not be valid."""
    name = arguments[0] if arguments and "=" not in arguments[0] and len(arguments) > 1 else None
    texts = arguments if name is None else arguments[1:]
    assign(domains, name, [parse_assignment(text) for text in texts])


def assign(domains: Domains, name: str | None, assignments: Sequence[Assignment]) -> None:
    """The same with assignments that are already parsed."""
    model = _row_named(name, domains)
    with services() as built:
        store = built.settings
        by_row = routed(model, assignments, _stored(store.row(model)))
        for target, wanted in by_row.items():
            if (
                target is not model
                and isinstance(missing := store.gate(target), Closed)
                and store.row(target) is None
            ):
                raise InputRejected(f"Nothing was changed: {missing.reason}")
            _check_shares(target, changed(target, _stored(store.row(target)), wanted), domains)
        for target, wanted in sorted(by_row.items(), key=lambda item: item[0] is model):
            before = store.row(target)
            row = change_row(store, target, edit_of(target, wanted))
            if target is not model:
                click.echo(f"These settings apply to every pipeline and are in the row '{target.name}':")
            _tell(target, _stored(before), row.settings, wanted)


def routed(
    model: type[SettingsModel], assignments: Sequence[Assignment], stored: Any
) -> dict[type[SettingsModel], list[Assignment]]:
    """Assignments by their row: a key that moved to a shared row goes there.

    If `stored`, the current settings of `model`, still has the key, it is removed there.
    """
    by_row: dict[type[SettingsModel], list[Assignment]] = {}
    for assignment in assignments:
        first, *rest = assignment.path
        if first not in model.moved:
            by_row.setdefault(model, []).append(assignment)
            continue
        target, key = model.moved[first]
        path = (*key.split("."), *rest) if key else tuple(rest)
        if path:
            by_row.setdefault(target, []).append(Assignment(path, assignment.value))
        else:  # a whole row at once
            if not isinstance(assignment.value, Mapping):
                raise InputRejected(f"Nothing was changed: '{first}' must be a JSON object.")
            by_row.setdefault(target, []).extend(
                Assignment((name,), value) for name, value in assignment.value.items()
            )
        if isinstance(stored, Mapping) and first in stored:
            by_row.setdefault(model, []).append(Assignment(assignment.path, None))
    return by_row


def change_row(store: Any, model: type[SettingsModel], edit: Edit) -> SettingsRow:
    """Change a row from the command line. If another change comes first, the change is repeated on top of it."""
    for _ in range(_ATTEMPTS):
        row = store.row(model)
        try:
            changed_row: SettingsRow = store.change(
                model, edit, who(), row.updated_at if row is not None else None
            )
        except StaleSettings as stale:
            last = stale
        else:
            return changed_row
    raise last


def parse_assignment(text: str) -> Assignment:
    """``"thresholds.brand=0.9"``: path and value. A value that is not JSON is a text; ``null`` means the default.

    Raises:
        InputRejected: there is no ``=`` or no key.
    """
    path, equals, value = text.partition("=")
    keys = tuple(path.strip().split("."))
    if not equals or not all(keys):
        raise InputRejected(f"'{text}' is not an assignment; use KEY=VALUE, for example concurrency=4.")
    try:
        return Assignment(keys, read_json(value))
    except ValueError:
        return Assignment(keys, value)


def who() -> Actor:
    """The person at this command line, for the audit log."""
    try:
        return Actor(COMMAND_ACTOR, "cli", getpass.getuser())
    except (KeyError, OSError):
        return Actor(COMMAND_ACTOR, "cli")


def _row_named(name: str | None, domains: Domains) -> type[SettingsModel]:
    """A row by its name in commands or in the table; without a name, the row of the first domain."""
    if name is None:
        return domains[0]
    models: list[type[SettingsModel]] = [*domains, *SHARED_ROWS]
    for model in models:
        if name in (model.name, model.row):
            return model
    known = ", ".join(model.name for model in models)
    raise InputRejected(f"There is no row of settings '{name}': the rows are {known}.")


def _standing(gate: Any, model: type[SettingsModel]) -> str:
    if isinstance(gate, Closed):
        return str(gate.reason)
    if issubclass(model, DomainSettings):
        return f"The pipeline '{model.name}' is switched on."
    return f"'{model.name}' is switched on."


def _stored(row: SettingsRow | None) -> Any:
    return row.settings if row is not None else None


def _check_shares(model: type[SettingsModel], settings: Mapping[str, Any], domains: Domains) -> None:
    """Refuse a share for a domain that does not exist."""
    names = [domain.name for domain in domains]
    unknown = sorted(set(getattr(parse(model, settings), "shares", {})) - set(names))
    if unknown:
        raise InputRejected(
            f"Nothing was changed: 'shares' names '{unknown[0]}', but the domains are {', '.join(names)}."
        )


def _table(model: type[SettingsModel], row: SettingsRow | None) -> Table:
    defaults = model().model_dump(mode="json")
    stored = _flat(json_object(_stored(row)), defaults)
    table = Table("setting", "value", "from")
    for name, value in sorted((_flat(defaults, defaults) | stored).items()):
        table.add_row(name, _as_json(value), "set" if name in stored else "default")
    return table


def _tell(model: type[SettingsModel], before: Any, after: Any, wanted: Sequence[Assignment]) -> None:
    """Print what each assigned setting was and is in effect, and what else has to be done for it."""
    defaults = model().model_dump(mode="json")
    was, now = (_flat(defaults, defaults) | _flat(json_object(row), defaults) for row in (before, after))
    assigned = {assignment.path[0] for assignment in wanted}
    shown = [name for name in sorted(was.keys() | now.keys()) if name.split(".")[0] in assigned]
    for name in shown:
        if was.get(name) == now.get(name):
            click.echo(f"{name} = {_as_json(now.get(name))}")
        else:
            click.echo(f"{name} = {_as_json(now.get(name))} (before: {_as_json(was.get(name))})")
    for sentence in dict.fromkeys(model.advice[key] for key in sorted(assigned & model.advice.keys())):
        click.echo(sentence)


def _flat(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name; those of an object that has defaults of its own as ``thresholds.brand``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping) and defaults[name]:
            flat |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            flat[name] = value
    return flat


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
