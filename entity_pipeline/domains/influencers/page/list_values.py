"""Values of the two lists of the page, blogs and tasks, and of what may be asked of them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from entity_pipeline.admin.shown import Shown
from entity_pipeline.domains.influencers.models import ScrapeStatus, TaskType, Trend
from entity_pipeline.shared.tasks.rules import TaskStatus

NONE = "none"
_HIGHEST_ID = 2**63 - 1


class BlogSort(StrEnum):
    """An order of the blogs; each begins with the highest value, and blogs without one come last."""

    FOLLOWERS = "followers"
    ER = "er"
    ER_REELS = "er_reels"
    TREND = "trend"
    POSTS_PER_WEEK = "posts_per_week"
    NEWEST = "newest"
    SCRAPED = "scraped"


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlogQuery(_Query):
    """A page of blogs. `category` is a code of a category, or ``none``."""

    status: ScrapeStatus | None = None
    category: Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_]+$")] | None = None
    source: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    search: Annotated[str, Field(max_length=100)] | None = None
    sort: BlogSort = BlogSort.FOLLOWERS
    cursor: Annotated[str, Field(max_length=400)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class TaskQuery(_Query):
    """A page of tasks, newest first; `before` is the last id of the page before."""

    task_status: TaskStatus | None = None
    task_type: TaskType | None = None
    before: Annotated[int, Field(ge=1, le=_HIGHEST_ID)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class BlogRow(Shown):
    """A blog in the list; measures are None where they can't be computed."""

    id: UUID
    username: str
    full_name: str | None
    status: ScrapeStatus
    followers: int | None
    er: Decimal | None
    er_reels: Decimal | None
    trend: Trend | None
    posts_per_week: Decimal | None
    categories: list[str] = Field(description="Their codes, the primary one first.")
    source: str
    scraped_at: datetime | None


class BlogPage(Shown):
    """One page of blogs, with cursors to the pages beside it."""

    rows: list[BlogRow]
    next_cursor: str | None
    previous_cursor: str | None


class BlogCounts(Shown):
    """How many blogs there are in each state, of each category and from each source."""

    total: int
    statuses: Mapping[str, int]
    categories: Mapping[str, int] = Field(description="By code, the most frequent first.")
    sources: Mapping[str, int] = Field(description="At most 50, the most frequent first.")


class TaskRow(Shown):
    """A task in a list. `subject` is a username, or a hashtag without ``#``; None when the blog is gone."""

    id: int
    task_type: TaskType
    status: TaskStatus
    subject: str | None
    priority: int
    attempts: int
    max_attempts: int
    outcome: str | None
    error: str | None
    batch: str | None = Field(description="The batch that it waits for, or that answered it.")
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class TaskPage(Shown):
    """One page of tasks; `next_before` leads to older ones."""

    rows: list[TaskRow]
    next_before: int | None


class TaskFigures(Shown):
    """How many tasks there are by type and state, and since when the oldest due one waits."""

    counts: Mapping[str, Mapping[str, int]] = Field(description="By type, then by state; zeros included.")
    oldest_due: Mapping[str, datetime] = Field(description="By type, where a task is due.")
    as_of: datetime

    def waiting(self) -> int:
        """Tasks that wait for their turn."""
        return sum(states[TaskStatus.PENDING] for states in self.counts.values())

    def of_status(self, status: str) -> int:
        """Tasks of all types in a state."""
        return sum(states[status] for states in self.counts.values())
