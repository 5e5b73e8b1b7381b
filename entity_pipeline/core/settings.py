"""`pipeline_settings.settings` as a typed value, and the gate every paid or published step asks first.

A missing key has the documented default; a present but bad value closes the gate with the reason, so that
a typing error never turns into a default in silence.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from entity_pipeline.core.instagram.access import InstagramWindows

PLATFORM = "entity_enrichment"

Share = Annotated[float, Field(ge=0, le=1)]
# JSON has no tuples, so a strict one would refuse every point a person can write.
CalibrationPoint = Annotated[tuple[Share, Share], Field(strict=False)]  # (raw, calibrated)
# The upper bounds are what the database's integers and intervals hold without fail, not advice.
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Thresholds(_Strict):
    """Least calibrated confidence at which a review of that type is written to the catalog."""

    artist: Share = 0.90
    brand: Share = 0.85
    group: Share = 0.90


class WindowSettings(_Strict):
    """Instagram limits of one account or route; see `core.profiles.InstagramWindows`."""

    gap_s: Seconds = 2.0
    jitter_s: tuple[Seconds, Seconds] = Field(default=(2.0, 5.0), strict=False)
    per_minute: Count = 20
    per_hour: Count = 30
    per_day: Count = 1_000

    @field_validator("jitter_s")
    @classmethod
    def _jitter_is_a_range(cls, jitter_s: tuple[float, float]) -> tuple[float, float]:
        if jitter_s[0] > jitter_s[1]:
            raise ValueError("must have its smaller number first")
        return jitter_s

    def windows(self) -> InstagramWindows:
        """The same limits as the value the governor takes."""
        return InstagramWindows(
            gap_s=self.gap_s,
            jitter_s=self.jitter_s,
            per_minute=self.per_minute,
            per_hour=self.per_hour,
            per_day=self.per_day,
        )


class PipelineSettings(_Strict):
    """The limits and switches a person may change. Units are in the names."""

    row: ClassVar[str] = PLATFORM

    daily_grounding_cap: int = Field(default=1_450, ge=0, le=1_000_000)
    requests_per_minute: Count = 200
    daily_spend_usd: float = Field(default=10.0, ge=0, le=1_000_000)
    accounts_per_tick: Count = 200
    concurrency: int = Field(default=8, ge=1, le=64)
    thresholds: Thresholds = Thresholds()
    evidence_level: Literal["supports", "chunks"] = "supports"
    calibration: dict[Literal["artist", "brand", "group"], list[CalibrationPoint]] = {}
    instagram_backfill_enabled: bool = False
    instagram_terms_acknowledged: bool = False
    instagram_windows: WindowSettings = WindowSettings()
    notify: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _backfill_needs_acknowledgement(self) -> "PipelineSettings":
        if self.instagram_backfill_enabled and not self.instagram_terms_acknowledged:
            raise ValueError(
                "instagram_backfill_enabled needs instagram_terms_acknowledged=true: "
                "Instagram's terms forbid automated collection without permission"
            )
        return self


@dataclass(frozen=True, slots=True)
class SettingsRow:
    """One row of `pipeline_settings` as it stands; `settings` is whatever the jsonb holds."""

    is_enabled: bool | None
    settings: Any
    updated_at: datetime | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """The pipeline may work, within these settings."""

    settings: PipelineSettings


@dataclass(frozen=True, slots=True)
class Closed:
    """The pipeline holds; `reason` is a sentence for the person who looks at it."""

    reason: str


Gate = Open | Closed


def gate(row: SettingsRow | None) -> Gate:
    """Open only when the row is there, switched on and readable to the last key."""
    if row is None:
        return Closed(
            f"pipeline_settings has no row for platform '{PLATFORM}': "
            "run `entity-pipeline settings enable` to create it."
        )
    if row.is_enabled is None:
        return Closed(
            "pipeline_settings.is_enabled is empty: run `entity-pipeline settings enable` or `disable`."
        )
    if not row.is_enabled:
        return Closed("The pipeline is switched off: run `entity-pipeline settings enable` to switch it on.")
    try:
        return Open(parse_settings(row.settings))
    except ValueError as error:
        return Closed(f"pipeline_settings.settings can't be used: {error}.")


def parse_settings(raw: Any) -> PipelineSettings:
    """Validate the jsonb value; `ValueError` names each bad key, its value and what is expected."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise ValueError(f"the value is {_shown(raw)} and must be a JSON object")
    try:
        return PipelineSettings.model_validate(dict(raw))
    except ValidationError as error:
        problems = error.errors()
        said = [_sentence(problem) for problem in problems[:_MOST_PROBLEMS]]
        more = [f"and {len(problems) - len(said)} more"] if len(problems) > len(said) else []
        raise ValueError("; ".join(said + more)) from None


def readable_settings(row: SettingsRow | None) -> PipelineSettings:
    """The stored settings, or the defaults while they can't be read (and the gate is closed for it)."""
    try:
        return parse_settings(row.settings if row is not None else None)
    except ValueError:
        return PipelineSettings()


_MOST_PROBLEMS = 10
_EXPECTED = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:,.10g}",
    "less_than_equal": "must be at most {le:,.10g}",
    "literal_error": "must be {expected}",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "list_type": "must be a list",
    "tuple_type": "must be a pair of numbers",
    "missing": "must be a pair of numbers",  # only the pairs have mandatory parts
    "too_long": "must be a pair of numbers",
    "value_error": "{error}",
}


def _sentence(problem: Mapping[str, Any]) -> str:
    kind, path = problem["type"], [str(part)[:60] for part in problem["loc"]]
    expected = _EXPECTED[kind].format(**problem.get("ctx", {})) if kind in _EXPECTED else str(problem["msg"])
    if kind == "extra_forbidden":
        return f"'{'.'.join(path)}' is not a known setting"
    if not path:
        return expected
    if path[-1] == "[key]":
        return f"'{'.'.join(path[:-2])}' has the key '{path[-2]}', which {expected}"
    if kind == "missing":
        path.pop()
    return f"'{'.'.join(path)}' is {_shown(problem['input'])} and {expected}"


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "something that can't be shown"
    return text if len(text) <= 60 else text[:59] + "…"


class SettingsAccess(Protocol):
    """Where the gate is read; implemented by `resources/settings_store.py`."""

    def gate(self) -> Gate:
        """Whether the pipeline may work now. Raises `DatabaseUnavailable` when nobody can tell."""


class SettingsReading(Protocol):
    """The same settings for those who only show them; implemented by `resources/settings_store.py`."""

    def readable(self) -> PipelineSettings:
        """The stored settings, also while the gate is closed; see `readable_settings`."""
