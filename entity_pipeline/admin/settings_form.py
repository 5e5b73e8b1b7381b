"""A settings row as a form. Its fields and bounds come from the row's model, so the form can't allow another value.

Only changed values are stored: a field that shows a default and is left alone stays a default. A list of texts is one
field, with commas. Other lists and mappings have no field (`without_field`); the page names the command for each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from entity_pipeline.core.settings import SettingsModel

Kind = Literal["whole", "number", "choice", "switch", "texts"]
_KINDS: Mapping[str, Kind] = {"integer": "whole", "number": "number", "boolean": "switch"}
LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting: a number from `least` to `most`, one of `choices`, a switch (``"true"``, ``"false"``), or texts of
    at most `most` characters each.

    `name` is its dotted path. `default` is None where the default is to have no value.
    """

    name: str
    kind: Kind
    least: float
    most: float
    choices: tuple[str, ...]
    default: Any
    excludes_least: bool = False

    @property
    def typed_default(self) -> str:
        """The default as the field would show it."""
        return as_typed(self.default)

    def read(self, given: str) -> Any:
        """The typed value; None for an empty field, which means the default.

        Raises:
            ValueError: with the key of the text that says what is wrong.
        """
        given = given.strip()
        if not given:
            return None
        if self.choices:
            if given not in self.choices:
                raise ValueError("settings.choose")
            return given == "true" if self.kind == "switch" else given
        return self._texts(given) if self.kind == "texts" else self._number(given)

    def _texts(self, given: str) -> list[str] | None:
        found = [text for text in (part.strip() for part in given.split(",")) if text]
        if any(len(text) > self.most for text in found):
            raise ValueError("settings.too_long")
        return list(dict.fromkeys(found)) or None

    def _number(self, given: str) -> float:
        try:
            if "_" in given:  # Python would read 1_0 as ten
                raise ValueError
            value: float = int(given) if self.kind == "whole" else float(given)
        except ValueError:
            raise ValueError("settings.whole" if self.kind == "whole" else "settings.number") from None
        too_little = value <= self.least if self.excludes_least else value < self.least
        if too_little or not value <= self.most:
            raise ValueError("settings.above" if self.excludes_least else "settings.between")
        return value


@dataclass(frozen=True, slots=True)
class Filled:
    """A sent form. `settings` is the change to make; empty if there are `problems` (field to text key)."""

    given: Mapping[str, str]
    settings: Mapping[str, Any]
    problems: Mapping[str, str]


@cache
def fields_of(model: type[SettingsModel]) -> tuple[SettingField, ...]:
    """The fields in the order of the model."""
    schema = model.model_json_schema()
    return tuple(_fields(schema, model().model_dump(mode="json")))


@cache
def without_field(model: type[SettingsModel]) -> tuple[str, ...]:
    """The settings that the form can't change, by dotted path, without those that only a migration sets."""
    schema = model.model_json_schema()
    return tuple(
        name
        for name, raw in _leaves(schema, schema)
        if _kind(_resolved(raw, schema)) is None and not raw.get("is_internal")
    )


def value_of(settings: Mapping[str, Any], name: str) -> Any:
    """``value_of(settings, "thresholds.brand")``."""
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_typed(value: Any) -> str:
    """A value as its field shows it: ``0.9``, ``1450``, ``true``; '' for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def typed_values(model: type[SettingsModel], settings: SettingsModel) -> dict[str, str]:
    """The text of each field."""
    values = settings.model_dump(mode="json")
    return {field.name: as_typed(value_of(values, field.name)) for field in fields_of(model)}


def read_settings_form(
    model: type[SettingsModel], form: Mapping[str, str], shown: Mapping[str, str]
) -> Filled:
    """The change to make. `shown` has the original values of the fields, from the form's hidden fields."""
    given: dict[str, str] = {}
    settings: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields_of(model):
        given[field.name] = form.get(field.name, "").strip()
        try:
            value = field.read(given[field.name])
        except ValueError as error:
            problems[field.name] = str(error)
            continue
        if given[field.name] != shown.get(field.name, "").strip():
            _put(settings, field.name, value)
    return Filled(given, {} if problems else settings, problems)


def _put(settings: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    for part in outer:
        settings = settings.setdefault(part, {})
    settings[last] = value


def _leaves(
    described: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, raw in described["properties"].items():
        one = _resolved(raw, schema)
        if "properties" in one:
            yield from _leaves(one, schema, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", raw


def _fields(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[SettingField]:
    for name, raw in _leaves(schema, schema):
        one = _resolved(raw, schema)
        kind = _kind(one)
        if kind is None or raw.get("is_internal"):
            continue
        yield SettingField(
            name=name,
            kind=kind,
            least=one.get("minimum", one.get("exclusiveMinimum", 0)),
            most=one["items"].get("maxLength", LONGEST_TEXT) if kind == "texts" else one.get("maximum", 0),
            choices=("true", "false") if kind == "switch" else tuple(one.get("enum", ())),
            default=value_of(defaults, name),
            excludes_least="exclusiveMinimum" in one,
        )


def _kind(described: Mapping[str, Any]) -> Kind | None:
    if "enum" in described:
        return "choice"
    if described.get("type") == "array":
        items = described.get("items", {})
        return "texts" if items.get("type") == "string" and "enum" not in items else None
    return _KINDS.get(described.get("type", ""))


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The description behind a reference; for a nullable value, the description of the value itself."""
    options = [one for one in described.get("anyOf", ()) if one.get("type") != "null"]
    described = options[0] if len(options) == 1 else described
    reference = described.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else described
