"""The row `influencers`: the settings of this domain alone. Units are in the names.

How much may be asked of Instagram and Gemini in all is in the rows `instagram` and `gemini`.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from entity_pipeline.core.gemini.settings import GeminiSettings, ModelName
from entity_pipeline.core.instagram.newest_posts import MOST_POSTS
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Count, DomainSettings, SettingsModel, Shared
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.reasons import because

Hashtag = Annotated[str, Field(min_length=1, max_length=150, pattern=r"^[^\s#]+$")]
Days = Annotated[int, Field(ge=1, le=10_000)]


class InfluencerSettings(DomainSettings):
    """How blogs are scraped, found and described."""

    row: ClassVar[str] = KEY
    uses: ClassVar[tuple[type[SettingsModel], ...]] = (InstagramSettings, GeminiSettings)
    requires: ClassVar[tuple[type[SettingsModel], ...]] = (InstagramSettings,)

    tasks_per_tick: Annotated[int, Field(ge=1, le=100)] = 10
    max_concurrent_tasks: Annotated[int, Field(ge=1, le=16)] = 2
    posts_per_scrape: Annotated[int, Field(ge=1, le=MOST_POSTS)] = 20
    highlights_enabled: bool = True
    rescrape_after_days: Days = 60

    # The hashtags that are searched each week, without ``#``.
    discover_hashtags: list[Hashtag] = Field(default_factory=list)
    discover_posts: Annotated[int, Field(ge=1, le=200)] = 50
    min_followers: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1_000
    min_posts: Annotated[int, Field(ge=0, le=1_000_000)] = 5

    insights_enabled: bool = False
    # A person has acknowledged that a model describes living people from what they published.
    insights_acknowledged: bool = False
    insights_model: ModelName = "gemini-3.5-flash-lite"
    insights_pictures: Annotated[int, Field(ge=0, le=10)] = 10
    insights_batch_tasks: Count = 10
    insights_wait_hours: Annotated[float, Field(ge=0, le=1_000)] = 2.0
    insights_retention_days: Days = 365

    advice: ClassVar[Mapping[str, str]] = {
        "insights_retention_days": "Insights older than this are removed by the next daily run."
    }

    @property
    def insights_are_on(self) -> bool:
        """Whether blogs may be described."""
        return self.insights_enabled and self.insights_acknowledged

    def refused_beside(self, shared: Shared) -> Reason | None:
        """Why insights must stay off: no person has acknowledged what they are. None otherwise."""
        if self.insights_enabled and not self.insights_acknowledged:
            return because("insights.not_acknowledged")
        return super().refused_beside(shared)

    def works_with(self, shared: type[SettingsModel]) -> bool:
        """Whether the domain uses a shared row: Gemini only while insights are on."""
        return super().works_with(shared) and (shared is not GeminiSettings or self.insights_enabled)
