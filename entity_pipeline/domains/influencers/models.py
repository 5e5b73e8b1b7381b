"""Values that several stages of the domain use: types of tasks, priorities, states of a blog."""

from enum import IntEnum, StrEnum
from typing import Literal

PLATFORM = "instagram"
REEL = "clips"
"""The `product_type` of a reel."""

Trend = Literal["growing", "stable", "declining"]


class TaskType(StrEnum):
    """The kinds of work in `scrape_tasks`. The key of a task is the blog's id; of `discover`, the hashtag."""

    FULL_SCRAPE = "full_scrape"
    AI_ANALYSIS = "ai_analysis"
    DISCOVER = "discover"


class Priority(IntEnum):
    """The priority of a task by its origin; 1 is the most urgent."""

    MANUAL_FIRST = 1
    MANUAL_LAST = 3
    ANALYSIS = 3
    DISCOVERED = 5
    UPDATE = 8
    WEEKLY_DISCOVERY = 10


class ScrapeStatus(StrEnum):
    """The state of a blog."""

    PENDING = "pending"  # never scraped
    SCRAPING = "scraping"
    ANALYZING = "analyzing"  # scraped, and waits for its insights
    ACTIVE = "active"
    PRIVATE = "private"
    DELETED = "deleted"  # only by a confirmed absence
    FAILED = "failed"
