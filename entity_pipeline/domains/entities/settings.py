"""The row `entity_enrichment`: the settings of this domain alone. Units are in the names.

Limits that apply to every pipeline are in the rows of `core/gemini/settings.py`, `core/instagram/settings.py` and
`core/notifications.py`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Count, DomainSettings, Settings, SettingsModel, Share, Shared
from entity_pipeline.domains.entities import KEY

# JSON has no tuples, so a strict type would refuse every point that a person can write.
CalibrationPoint = Annotated[tuple[Share, Share], Field(strict=False)]  # (raw, calibrated)


class Thresholds(Settings):
    """The lowest calibrated confidence at which a review of that type is written to the catalog."""

    artist: Share = 0.90
    brand: Share = 0.85
    group: Share = 0.90


class EntitySettings(DomainSettings):
    """How the domain works; its reviews need `gemini`, its profile backfill works only while `instagram` is on."""

    row: ClassVar[str] = "entity_enrichment"
    name: ClassVar[str] = KEY
    uses: ClassVar[tuple[type[SettingsModel], ...]] = (GeminiSettings, InstagramSettings)
    requires: ClassVar[tuple[type[SettingsModel], ...]] = (GeminiSettings,)
    moved: ClassVar[Mapping[str, tuple[type[SettingsModel], str]]] = {
        "daily_grounding_cap": (GeminiSettings, "daily_grounding_cap"),
        "requests_per_minute": (GeminiSettings, "requests_per_minute"),
        "daily_spend_usd": (GeminiSettings, "daily_spend_usd"),
        "instagram_terms_acknowledged": (InstagramSettings, "terms_acknowledged"),
        "instagram_windows": (InstagramSettings, "windows"),
        "notify": (NotifySettings, ""),
    }

    advice: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("thresholds", "evidence_level"),
        "Held accounts keep their decision. To decide them again, which pays nothing: entity-pipeline decide-again",
    )

    accounts_per_tick: Count = 200
    fairness: Share = 0.2
    concurrency: int = Field(default=8, ge=1, le=64)
    thresholds: Thresholds = Thresholds()
    evidence_level: Literal["ties", "supports", "chunks"] = "ties"
    calibration: dict[Literal["artist", "brand", "group"], list[CalibrationPoint]] = Field(
        default_factory=dict
    )
    instagram_backfill_enabled: bool = False
    profile_recheck_days: int = Field(default=90, ge=0, le=10_000)
    # Set by the migration that moved keys to the shared rows: earlier releases refuse a row with this key, so they
    # wait instead of working under their default limits.
    shared_rows: bool = Field(default=True, json_schema_extra={"is_internal": True})

    def profiles_seen_before(self, now: datetime) -> datetime | None:
        """Profiles that were last looked at before then are looked at again; None with `profile_recheck_days` 0."""
        return now - timedelta(days=self.profile_recheck_days) if self.profile_recheck_days else None

    def refused_beside(self, shared: Shared) -> Reason | None:
        """Why the backfill must stay off: Instagram's terms are not acknowledged. None otherwise."""
        return shared(InstagramSettings).held_because() if self.instagram_backfill_enabled else None

    def works_with(self, shared: type[SettingsModel]) -> bool:
        """Whether the domain uses a shared row: Instagram only while the profile backfill is on."""
        return super().works_with(shared) and (
            shared is not InstagramSettings or self.instagram_backfill_enabled
        )
