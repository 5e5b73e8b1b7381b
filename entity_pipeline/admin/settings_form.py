"""The limits and thresholds as a form: their bounds come from `core.settings`, so the form can't allow another.

Surprising: only what a person changed is stored. A field that shows a default and is left alone stays a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.domains.entities.settings import EntitySettings

# What the page offers; the rest of the settings is changed by the command.
NAMES = (
    "daily_grounding_cap",
    "daily_spend_usd",
    "accounts_per_tick",
    "requests_per_minute",
    "concurrency",
    "thresholds.artist",
    "thresholds.brand",
    "thresholds.group",
    "evidence_level",
)


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting. A number between `least` and `most`, whole when `is_whole`; or one of `choices`."""

    name: str
    is_whole: bool
    least: float
    most: float
    choices: tuple[str, ...]
    default: Any

    def read(self, given: str) -> Any:
        """The value of what was typed; None for nothing, which means the default.

        Raises:
            ValueError: with the key of the text that says what is wrong.
        """
        given = given.strip()
        if not given:
            return None
        if self.choices:
            if given not in self.choices:
                raise ValueError("settings.choose")
            return given
        try:
            if "_" in given:  # Python would read 1_0 as ten
                raise ValueError
            value: float = int(given) if self.is_whole else float(given)
        except ValueError:
            raise ValueError("settings.whole" if self.is_whole else "settings.number") from None
        if not self.least <= value <= self.most:
            raise ValueError("settings.between")
        return value


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was sent. `settings` is the change to make; empty while `problems` (field to text key) is not."""

    given: Mapping[str, str]
    settings: Mapping[str, Any]
    problems: Mapping[str, str]


def setting_fields() -> list[SettingField]:
    """The fields in the order of the form."""
    schema = EntitySettings.model_json_schema()
    defaults = EntitySettings().model_dump(mode="json")
    return [_field(name, schema, defaults) for name in NAMES]


def value_of(settings: Mapping[str, Any], name: str) -> Any:
    """``value_of(settings, "thresholds.brand")``."""
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_typed(value: Any) -> str:
    """A value as it stands in its field: ``0.9``, ``1450``."""
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def read_settings_form(form: Mapping[str, str], shown: Mapping[str, str]) -> Filled:
    """What to change. `shown` is what the fields held when the form was made, from its hidden fields."""
    given: dict[str, str] = {}
    settings: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in setting_fields():
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
    first, _, rest = name.partition(".")
    if rest:
        settings.setdefault(first, {})[rest] = value
    else:
        settings[first] = value


def _field(name: str, schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> SettingField:
    described: Mapping[str, Any] = schema
    for part in name.split("."):
        described = _resolved(described, schema)["properties"][part]
    described = _resolved(described, schema)
    return SettingField(
        name=name,
        is_whole=described.get("type") == "integer",
        least=described.get("minimum", 0),
        most=described.get("maximum", 0),
        choices=tuple(described.get("enum", ())),
        default=value_of(defaults, name),
    )


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = described.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else described
