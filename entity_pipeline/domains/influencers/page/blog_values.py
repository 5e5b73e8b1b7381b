"""Values of one blog as the page and the API show it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from entity_pipeline.admin.ledger_rows import LedgerEntry
from entity_pipeline.admin.shown import Shown
from entity_pipeline.domains.influencers.models import ScrapeStatus, Trend
from entity_pipeline.domains.influencers.page.list_values import TaskRow
from entity_pipeline.domains.influencers.page.statements import Dropped, StatementGroup, Value


class MeasureFigures(Shown):
    """The measures. Where one is null, `why` has the reason by the measure's name."""

    er: Decimal | None
    er_reels: Decimal | None
    er_views: float | None
    trend: Trend | None
    posts_per_week: Decimal | None
    why: dict[str, str]
    posts: int | None = Field(description="The posts that the rates rest on.")
    reels: int | None
    likes_hidden: int | None = Field(description="Posts that were left out because their likes are hidden.")
    pinned: int | None
    first_day: int | None = Field(description="Posts of fewer days ago were left out.")
    last_day: int | None = Field(description="Posts of more days ago were left out.")
    version: str | None
    at: datetime | None


class PostFigures(Shown):
    """One post. `likes`, `comments` and `plays` are null where Instagram does not show them."""

    code: str
    address: str | None
    taken_at: datetime
    caption: str | None
    kind: str = Field(description="photo, album, video or reel.")
    is_reel: bool
    likes: int | None
    likes_hidden: bool
    comments: int | None
    plays: int | None
    is_pinned: bool
    is_paid: bool
    sponsors: list[str]
    location: str | None
    thumbnail_key: str | None

    @property
    def engagement(self) -> int | None:
        """Likes and comments; None if one of them is unknown."""
        return None if self.likes is None or self.comments is None else self.likes + self.comments


class HighlightFigures(Shown):
    """A highlight; its lists are empty unless its stories were read."""

    title: str | None
    stories: int | None
    mentions: list[str]
    locations: list[str]
    links: list[str]
    is_read: bool


class CategoryFigures(Shown):
    """A category of the blog."""

    code: str
    name: str
    is_primary: bool


class InsightFigures(Shown):
    """What Gemini says of the blog, each statement with what it rests on, and the newest answer."""

    groups: list[StatementGroup]
    notes: Value | None
    dropped: list[Dropped]
    confidence: Decimal | None
    analyzed_at: datetime | None
    model: str | None
    prompt_version: str | None
    schema_version: str | None
    posts_sent: int | None
    pictures_sent: int | None
    unmatched_topics: list[str]
    last_outcome: str | None
    last_at: datetime | None
    last_detail: str | None


class SightingFigures(Shown):
    """A look that did not find the blog, or found it again."""

    at: datetime | None
    outcome: str


class BlogFigures(Shown):
    """Everything that is known of one blog."""

    id: UUID
    username: str
    address: str | None
    platform_id: int | None
    full_name: str | None
    biography: str | None
    avatar_key: str | None
    followers: int | None
    following: int | None
    media_count: int | None
    is_verified: bool | None
    is_business: bool | None
    business_category: str | None
    external_url: str | None
    status: ScrapeStatus
    scraped_at: datetime | None
    source: str
    created_at: datetime
    updated_at: datetime
    measures: MeasureFigures
    categories: list[CategoryFigures]
    insights: InsightFigures
    posts: list[PostFigures] = Field(description="The newest 100.")
    highlights: list[HighlightFigures]
    sightings: list[SightingFigures]
    tasks: list[TaskRow] = Field(description="The newest 10.")
    ledger: list[LedgerEntry] | None = Field(description="Requests to Gemini; null while the ledger is away.")
    cost_usd: Decimal | None
