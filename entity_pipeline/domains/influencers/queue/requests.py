"""What a person asks of the queue: blogs to scrape by username, and hashtags to look through.

The API, the commands and the page use the same functions. Who may ask does not belong here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.text.handles import Rejection, handle_or_none, normalise_username
from entity_pipeline.domains.influencers.discovery.logic.hashtags import hashtag_or_none
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.queue.queries.new_blogs import Named, find_or_add
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE, NewTask


class Answer(StrEnum):
    """The answer for one name or hashtag."""

    MADE = "made"  # there is a new task
    WAS_THERE = "was_there"  # a task for it is pending or running
    NO_USERNAME = "no_username"
    NO_HASHTAG = "no_hashtag"
    ERASED = "erased"  # the person was removed and is not taken in again


@dataclass(frozen=True, slots=True)
class AskedBlog:
    """The answer for one name as it was `given`. `why` is set with NO_USERNAME, the ids with MADE and WAS_THERE."""

    given: str
    answer: Answer
    username: str | None = None
    blog_id: UUID | None = None
    task_id: int | None = None
    why: Rejection | None = None


@dataclass(frozen=True, slots=True)
class AskedHashtag:
    """The answer for one hashtag as it was `given`."""

    given: str
    answer: Answer
    hashtag: str | None = None
    task_id: int | None = None


def ask_for_blogs(
    connection: Connection[Any],
    names: Sequence[str],
    priority: int = Priority.MANUAL_FIRST,
    source: str = "manual",
) -> list[AskedBlog]:
    """A `full_scrape` task for each name, at most 1,000, in any spelling: ``@name``, an address, upper case.

    Returns an answer for each, in their order; of several spellings of one name, the first has the new task. Unknown
    people get a blog with this `source`. A pending task takes over a more urgent priority. All or nothing is written,
    in the same number of round trips for one name as for all; repeated after its answer was lost, the call answers
    WAS_THERE.

    Raises:
        InputRejected: more than 1,000 names.
    """
    _refuse_too_many(len(names), "usernames")
    usernames = [handle_or_none(name) for name in names]
    wanted = list(dict.fromkeys(username for username in usernames if username is not None))
    tasks: dict[str, tuple[UUID, int, bool]] = {}
    erased: set[str] = set()
    if wanted:
        with connection.transaction():
            found = find_or_add(connection, [Named(username) for username in wanted], source)
            erased = {username for username, blog in found.items() if blog.is_erased}
            blogs = [(name, id_) for name in wanted if (id_ := found[name].blog_id) is not None]
            new = [NewTask(TaskType.FULL_SCRAPE, str(id_), priority) for _, id_ in blogs]
            created = STORE.create(connection, new) if new else []
            tasks = {
                name: (id_, task.id, task.is_new) for (name, id_), task in zip(blogs, created, strict=True)
            }
    answers, answered = [], set()
    for given, username in zip(names, usernames, strict=True):
        if username is None:
            rejected = normalise_username(given)
            why = rejected if isinstance(rejected, Rejection) else None
            answers.append(AskedBlog(given, Answer.NO_USERNAME, why=why))
        elif username in erased:
            answers.append(AskedBlog(given, Answer.ERASED, username))
        else:
            blog_id, task_id, is_new = tasks[username]
            is_made = is_new and username not in answered
            answered.add(username)
            answer = Answer.MADE if is_made else Answer.WAS_THERE
            answers.append(AskedBlog(given, answer, username, blog_id, task_id))
    return answers


def ask_for_hashtags(
    connection: Connection[Any], hashtags: Sequence[str], priority: int = Priority.MANUAL_FIRST
) -> list[AskedHashtag]:
    """A `discover` task for each hashtag, at most 1,000, with or without ``#``. Returns an answer for each, in order.

    Raises:
        InputRejected: more than 1,000 hashtags.
    """
    _refuse_too_many(len(hashtags), "hashtags")
    tags = [hashtag_or_none(given) for given in hashtags]
    known = [tag for tag in tags if tag is not None]
    new = [NewTask(TaskType.DISCOVER, tag, priority) for tag in known]
    created = iter(STORE.create(connection, new) if new else [])
    answers = []
    for given, tag in zip(hashtags, tags, strict=True):
        if tag is None:
            answers.append(AskedHashtag(given, Answer.NO_HASHTAG))
        else:
            task = next(created)
            answer = Answer.MADE if task.is_new else Answer.WAS_THERE
            answers.append(AskedHashtag(given, answer, tag, task.id))
    return answers


def _refuse_too_many(asked: int, what: str) -> None:
    if asked > MOST_AT_ONCE:
        raise InputRejected(f"{asked} {what} are too many at once; ask for at most {MOST_AT_ONCE}.")
