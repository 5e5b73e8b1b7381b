"""The row `gemini`: how much all pipelines together may ask of Gemini, and the share of each.

The ledger reads this row itself (`resources/gemini`); a caller never passes a limit. What one pipeline does with its
replies is in that domain's settings.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from entity_pipeline.core.settings import Count, SettingsModel, UsdPerDay

KeepRequests = Literal["full", "sealed", "none"]
PipelineName = Annotated[str, Field(min_length=1, max_length=100)]
ModelName = Annotated[str, Field(min_length=1, max_length=100)]


class GeminiSettings(SettingsModel):
    """Limits of the whole project per Pacific day (`monthly_spend_usd`: per Pacific month)."""

    row: ClassVar[str] = "gemini"

    daily_grounding_cap: int = Field(default=1_450, ge=0, le=1_000_000)
    requests_per_minute: Count = 200
    daily_spend_usd: UsdPerDay = 10.0
    # None: only the days are limited.
    monthly_spend_usd: Annotated[float, Field(ge=0, le=10_000_000)] | None = None
    # False: requests stop at a pool's free units. True: they stop at the caps and the spending limits.
    paid_grounding: bool = False
    # USD per day of one domain by its name; a domain that is not named may use what the limits above leave.
    shares: dict[str, UsdPerDay] = Field(default_factory=dict)
    # Models beside GEMINI_MODEL whose replies may be used.
    accept_models: list[ModelName] = Field(default_factory=list)
    # Other pipelines that never search: their rows that do not say so don't count against the cap.
    ungrounded_pipelines: list[PipelineName] = Field(default_factory=list)
    # How the ledger keeps request texts: plain, encrypted with GEMINI_REQUEST_KEYS (not at all without keys), or not.
    keep_requests: KeepRequests = "sealed"
