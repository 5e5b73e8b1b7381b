"""The rules of `scrape_tasks`: its types, and how long each kind of failure waits."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from entity_pipeline.core.instagram.absence import CONFIRMATION_GAP
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.shared.tasks.rules import RetryPolicy, TaskQueue


class Failure(StrEnum):
    """Why an attempt at a task failed; the `outcome` of a task whose last attempt failed so."""

    ALL_COOLING = "all_accounts_cooling"  # every account refused the request that was sent
    ERROR = "error"
    UNREADABLE = "unreadable_answer"  # Gemini's answer does not fit the schema; once more, in a later batch
    UNCONFIRMED = "absence_not_confirmed"  # "not found", which is believed only after a second look


class Outcome(StrEnum):
    """How a task is done, where that is not self-evident."""

    PRIVATE = "private"
    DELETED = "deleted"
    RENAMED_AWAY = "renamed_away"  # another person has the username now
    REFUSED = "refused"  # Gemini refused to describe the blog
    INSIGHTS_DISABLED = "insights_disabled"
    NOTHING_TO_DESCRIBE = "nothing_to_describe"
    UNCHANGED = "unchanged"  # the stored insights rest on the same input
    ERASED = "erased"
    NO_POSTS = "no_posts"  # a hashtag that Instagram shows nothing under


def _minutes(*waits: int) -> RetryPolicy:
    return RetryPolicy(tuple(timedelta(minutes=wait) for wait in waits))


_LOOK_AGAIN = CONFIRMATION_GAP + timedelta(minutes=5)

POLICIES: Mapping[str, RetryPolicy] = {
    Failure.ALL_COOLING: _minutes(5, 15),
    Failure.ERROR: _minutes(5, 15, 45),
    Failure.UNREADABLE: _minutes(5),
    Failure.UNCONFIRMED: RetryPolicy((_LOOK_AGAIN, _LOOK_AGAIN, 4 * _LOOK_AGAIN)),
}

QUEUE = TaskQueue(table="scrape_tasks", types=tuple(TaskType), policies=POLICIES)

# What runs of the queue claim; insights are asked for in batches.
WORKED_BY_RUNS = (TaskType.FULL_SCRAPE, TaskType.DISCOVER)
