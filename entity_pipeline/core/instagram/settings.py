"""The row `instagram`: whether anything may look at Instagram at all, and how fast every pipeline together may.

The governor reads this row itself (`resources/instagram`); a caller never brings a window. Whether one pipeline looks
at profiles is a switch of that domain's own row.
"""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Count, Settings, SettingsModel, Share

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class InstagramWindows(Settings):
    """Limits of one Instagram account or anonymous route; all hold at once."""

    gap_s: Seconds = 2.0
    jitter_s: tuple[Seconds, Seconds] = Field(default=(2.0, 5.0), strict=False)
    per_minute: Count = 20
    per_hour: Count = 30
    per_day: Count = 1_000

    @field_validator("jitter_s")
    @classmethod
    def _jitter_is_a_range(cls, jitter_s: tuple[float, float]) -> tuple[float, float]:
        if jitter_s[0] > jitter_s[1]:
            raise PydanticCustomError("smaller_first", "must have its smaller number first")
        return jitter_s


class InstagramSettings(SettingsModel):
    """Permission, windows, and each domain's part of them."""

    row: ClassVar[str] = "instagram"

    terms_acknowledged: bool = False
    windows: InstagramWindows = InstagramWindows()
    # Part of the windows, 0 to 1, of one domain by its name.
    shares: dict[str, Share] = Field(default_factory=dict)

    def held_because(self) -> Reason | None:
        """Nothing may look at Instagram before a person acknowledged its terms."""
        return None if self.terms_acknowledged else Reason("entity_pipeline.core", "terms_not_acknowledged")
