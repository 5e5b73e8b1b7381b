"""Changes of a settings row as pure functions, and the failure when another change came first.

`resources/settings_store.py` applies an edit under a lock and leaves a row in the audit log. Every value is checked
here before anything is stored, so the command, the page and the demo refuse the same values in the same words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from entity_pipeline.core.audit import Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.settings import SettingsModel, SettingsRefused, SettingsRow, Version, parse


@dataclass(frozen=True, slots=True)
class NewRow:
    """What a row should hold; `settings` may be any value that a person once wrote by hand."""

    is_enabled: bool
    settings: Any


# Maps the current row, or None when it is missing, to the wanted one. Raises `InputRejected` to leave it alone.
Edit = Callable[[SettingsRow | None], NewRow]


class StaleSettings(InputRejected):
    """Nothing was changed because the row has changed since it was read; `row` is the current one, None if gone."""

    def __init__(self, row: SettingsRow | None) -> None:
        who = row.updated_by if row is not None else None
        super().__init__(
            f"Nothing was changed: {who or 'an unknown user'} changed the settings in the meantime. "
            "Look at the current settings, and make the change again if it is still needed."
        )
        self.row = row


class SettingsWriter(Protocol):
    """The one way to change a row; implemented by `resources/settings_store.py`."""

    def change(self, model: type[SettingsModel], edit: Edit, who: Actor, seen: Version | None) -> SettingsRow:
        """Store ``edit(row)`` if the row is still the one of `seen` (its `updated_at`), with its row in the audit log.

        Raises:
            StaleSettings: the row has changed since.
            InputRejected: `edit` refused.
        """


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value to store under a path of keys, ``("thresholds", "brand")``; None takes the key out: its default."""

    path: tuple[str, ...]
    value: Any


def assignments_of(wanted: Mapping[str, Any], under: tuple[str, ...] = ()) -> Iterator[Assignment]:
    """The leaves of nested objects: ``{"thresholds": {"brand": 0.9}}`` leaves the other thresholds alone."""
    for key, value in wanted.items():
        if isinstance(value, Mapping) and value:
            yield from assignments_of(value, (*under, key))
        else:
            yield Assignment((*under, key), value)


def edit_of(
    model: type[SettingsModel], assignments: Sequence[Assignment] = (), *, is_enabled: bool | None = None
) -> Edit:
    """The assignments over the stored settings, and the switch; without either of them it stays as it is."""

    def edit(row: SettingsRow | None) -> NewRow:
        stored = row.settings if row is not None else None
        if assignments:
            stored = changed(model, stored, assignments)
        return NewRow(
            model.is_on(row) if is_enabled is None else is_enabled, stored if stored is not None else {}
        )

    return edit


def changed(model: type[SettingsModel], stored: Any, assignments: Sequence[Assignment]) -> dict[str, Any]:
    """The stored settings after the assignments, validated as a whole; `stored` itself is not touched.

    Raises:
        InputRejected: the result is not allowed; the sentence names each bad key.
    """
    result: dict[str, Any] = dict(json_object(stored))
    for assignment in assignments:
        result = _with(result, assignment.path, assignment.value)
    try:
        parse(model, result)
    except RecursionError:
        raise InputRejected("Nothing was changed: the value is nested too deeply.") from None
    except SettingsRefused as refused:
        raise InputRejected(f"Nothing was changed: {refused}.") from None
    return result


def _with(stored: Any, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of `stored` with the value at the path; an object that loses its last key goes with it."""
    result: dict[str, Any] = dict(json_object(stored))
    first, *rest = path
    if rest:
        value = _with(result.get(first), tuple(rest), value) or None
    if value is None:
        result.pop(first, None)
    else:
        result[first] = value
    return result
