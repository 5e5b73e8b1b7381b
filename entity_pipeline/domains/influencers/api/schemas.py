"""What goes in and out of the API. Instants are in UTC."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from entity_pipeline.core.text.handles import Rejection
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE, TaskStatus

MOST_TASKS = 200
LARGEST_OFFSET = 10_000
LONGEST_HASHTAG = 500
LARGEST_ID = 2**63 - 1

ManualPriority = Annotated[
    int, Field(ge=Priority.MANUAL_FIRST, le=Priority.MANUAL_LAST, description="1 is the most urgent.")
]
_DEFAULT_PRIORITY = 2


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Health(_Value):
    """How the pool and the queue stand, some seconds old. Names no account and no task."""

    status: Literal["ok"] = "ok"
    accounts: dict[str, int] = Field(description="The operator's Instagram accounts by state.")
    tasks: dict[TaskStatus, int] = Field(description="Tasks by state.")
    oldest_pending_at: datetime | None = Field(
        description="Since when the longest-waiting task is due; null when none is."
    )
    read_at: datetime


class TaskView(_Value):
    """One task."""

    id: int
    task_type: TaskType
    status: TaskStatus
    priority: int
    blog_id: UUID | None = Field(description="Null for `discover`.")
    username: str | None = Field(description="Of the blog, as it is now.")
    hashtag: str | None = Field(description="Of `discover`, without #.")
    attempts: int = Field(description="Those that failed, and the one at work.")
    max_attempts: int
    outcome: str | None = Field(
        description="How it ended, where the status does not say it: private, deleted ..."
    )
    error_message: str | None
    next_retry_at: datetime | None = Field(description="Not before this time, if it waits.")
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class TaskPage(_Value):
    """Tasks, the newest first."""

    tasks: list[TaskView]
    limit: int
    offset: int
    has_more: bool


class ScrapeRequest(_Value):
    """People to scrape. Names may be in any spelling: `@name`, an address, upper case."""

    usernames: list[str] = Field(min_length=1, max_length=MOST_AT_ONCE)
    priority: ManualPriority = _DEFAULT_PRIORITY


class BlogTask(_Value):
    """The task of one username."""

    username: str
    blog_id: UUID
    task_id: int


class RejectedName(_Value):
    """A text that names no Instagram account, shortened, and why."""

    given: str
    reason: str = Field(description=f"One of {', '.join(rejection.value for rejection in Rejection)}.")


class ScrapeAnswer(_Value):
    """Each username in one of the lists, once, whatever its spellings were."""

    created: list[BlogTask] = Field(description="There is a new task.")
    existing: list[BlogTask] = Field(description="A task was pending or running already.")
    rejected: list[RejectedName]
    erased: list[str] = Field(description="These people were erased and are not taken in again.")


class DiscoverRequest(_Value):
    """A hashtag whose people become blogs, with or without #."""

    hashtag: str = Field(min_length=1, max_length=LONGEST_HASHTAG)
    priority: ManualPriority = _DEFAULT_PRIORITY


class DiscoverAnswer(_Value):
    """The task of a hashtag; `is_new` is false where one was pending or running already."""

    hashtag: str
    task_id: int
    is_new: bool
