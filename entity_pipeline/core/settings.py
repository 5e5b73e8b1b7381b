"""`pipeline_settings.settings` as a typed value, and the gate every paid or published step asks first.

A missing key has the documented default; a present but bad value closes the gate with the reason, so that
a typing error never turns into a default in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from entity_pipeline.core.profiles import InstagramWindows

PLATFORM = "entity_enrichment"

Share = Annotated[float, Field(ge=0, le=1)]
# JSON has no tuples, so a strict one would refuse every point a person can write.
CalibrationPoint = Annotated[tuple[Share, Share], Field(strict=False)]  # (raw, calibrated)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Thresholds(_Strict):
    """Least calibrated confidence at which a review of that type is written to the catalog."""

    artist: Share = 0.90
    brand: Share = 0.85
    group: Share = 0.90


class WindowSettings(_Strict):
    """Instagram limits of one account or route; see `core.profiles.InstagramWindows`."""

    gap_s: float = Field(default=2.0, ge=0)
    jitter_s: tuple[float, float] = Field(default=(2.0, 5.0), strict=False)
    per_minute: int = Field(default=20, ge=1)
    per_hour: int = Field(default=30, ge=1)
    per_day: int = Field(default=1_000, ge=1)

    @model_validator(mode="after")
    def _jitter_is_a_range(self) -> "WindowSettings":
        low, high = self.jitter_s
        if not 0 <= low <= high:
            raise ValueError("jitter_s must be two numbers, the smaller first")
        return self

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

    daily_grounding_cap: int = Field(default=1_450, ge=0)
    requests_per_minute: int = Field(default=60, ge=1)
    daily_spend_usd: float = Field(default=10.0, ge=0)
    accounts_per_tick: int = Field(default=200, ge=1)
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
        return Closed(f"pipeline_settings.settings can't be used: {error}")


def parse_settings(raw: Any) -> PipelineSettings:
    """Validate the jsonb value; `ValueError` names each bad key, its value and what is expected."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise ValueError(f"it must be a JSON object, and is {type(raw).__name__}.")
    try:
        return PipelineSettings.model_validate(dict(raw))
    except ValidationError as error:
        raise ValueError("; ".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"'{key}' is not a known setting"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"'{key}' = {problem['input']!r}: {message}" if key else message


class SettingsAccess(Protocol):
    """Where the gate is read; implemented by `resources/settings_store.py`."""

    def gate(self) -> Gate:
        """Whether the pipeline may work now. Raises `DatabaseUnavailable` when nobody can tell."""
