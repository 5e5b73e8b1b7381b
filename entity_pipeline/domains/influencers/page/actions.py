"""What a person asks for on the page: scrapes, searches for hashtags, another attempt at a failed task.

The tasks themselves are the record of it. The audit log of `operation` is not written, because it would keep the names
of people who may be erased later.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.influencers.models import Priority
from entity_pipeline.domains.influencers.queue.requests import (
    Answer,
    AskedBlog,
    AskedHashtag,
    ask_for_blogs,
    ask_for_hashtags,
)
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import NewTask, TaskStatus

_MOST_REFUSED = 12


def names_of(typed: str) -> list[str]:
    """The names in a text, which are separated by white space, commas or semicolons."""
    return typed.replace(",", " ").replace(";", " ").split()


@dataclass(frozen=True, slots=True)
class Answers:
    """How many names had each `Answer`, and the first of those that are no names."""

    counted: Mapping[Answer, int]
    refused: Sequence[str]

    def as_query(self) -> dict[str, str]:
        """The fields of an address that shows them."""
        fields = {str(answer): str(n) for answer, n in self.counted.items() if n}
        return fields | ({"refused": " ".join(self.refused)} if self.refused else {})


def ask(connection: Connection[Any], usernames: Sequence[str], hashtags: Sequence[str]) -> Answers:
    """Ask for blogs and hashtags before all others.

    Raises:
        InputRejected: more than 1,000 of one kind, or nothing.
    """
    if not usernames and not hashtags:
        raise InputRejected("Nothing was asked for: type a username or a hashtag.")
    blogs = ask_for_blogs(connection, usernames, Priority.MANUAL_FIRST) if usernames else []
    tags = ask_for_hashtags(connection, hashtags, Priority.MANUAL_FIRST) if hashtags else []
    both: list[AskedBlog | AskedHashtag] = [*blogs, *tags]
    refused = [one.given[:60] for one in both if one.answer in (Answer.NO_USERNAME, Answer.NO_HASHTAG)]
    return Answers(Counter(one.answer for one in both), refused[:_MOST_REFUSED])


def retry(connection: Connection[Any], task_id: int) -> bool:
    """Make a new task like a failed one; False if one like it is open already.

    Raises:
        InputRejected: there is no such task, or it has not failed.
    """
    found = STORE.find(connection, [task_id])
    if not found or found[0].status != TaskStatus.FAILED:
        raise InputRejected("Only a failed task can be tried again.")
    new = NewTask(found[0].task_type, found[0].task_key, Priority.MANUAL_FIRST, found[0].payload)
    return STORE.create(connection, [new])[0].is_new
