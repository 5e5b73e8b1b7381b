"""The row `instagram`: whether Instagram may be queried at all, and how fast by all pipelines together.

The governor reads this row itself (`resources/instagram`); a caller never passes a window. Whether one pipeline
looks at profiles is a switch in that domain's own row.
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
    """The permission, the windows, and each domain's share of them."""

    row: ClassVar[str] = "instagram"

    terms_acknowledged: bool = False
    windows: InstagramWindows = InstagramWindows()
    # The share of the windows, 0 to 1, of one domain by its name.
    shares: dict[str, Share] = Field(default_factory=dict)

    def held_because(self) -> Reason | None:
        """Why Instagram may not be queried: no person has acknowledged its terms."""
        return None if self.terms_acknowledged else Reason("entity_pipeline.core", "terms_not_acknowledged")
