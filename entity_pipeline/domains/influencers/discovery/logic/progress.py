"""How far the task `discover` is, as its steps note it: pages, the people on them, and what was found of each.

Steps hold numeric ids only, and none once the task is done: what they hold outlives an erasure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from entity_pipeline.core.instagram.hashtag_top import HashtagCursor, HashtagPage

# Pages without a new post end the search before it has all posts.
MOST_PAGES = 20


class Seen(StrEnum):
    """What a look at a new person found."""

    ADDED = "added"
    KNOWN = "known"  # the blog came to be meanwhile, or another person's blog has the username
    ERASED = "erased"
    PRIVATE = "private"
    TOO_FEW_FOLLOWERS = "too_few_followers"
    TOO_FEW_POSTS = "too_few_posts"
    GONE = "gone"
    RESTRICTED = "restricted"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Progress:
    """The noted steps.

    Attributes:
        posts: posts on the pages so far, at most as many as were wanted.
        people: their authors by id, in the order of the pages.
        cursor: where the next page begins; None before the first and after the last page.
        looks: what was found of each new person so far.
    """

    pages: int = 0
    posts: int = 0
    people: Sequence[int] = ()
    cursor: HashtagCursor | None = None
    looks: Mapping[int, Seen] = field(default_factory=dict)

    def wants_page(self, most_posts: int) -> bool:
        """Whether there is a further page to ask for."""
        if not self.pages:
            return True
        return self.cursor is not None and self.posts < most_posts and self.pages < MOST_PAGES

    def with_page(self, page: HashtagPage, most_posts: int) -> "Progress":
        """After a page. Posts without the hashtag count: Instagram shows their authors under it, and hashtags may
        stand in comments, so that a caption proves nothing. An empty page is the last one."""
        posts = page.posts[: most_posts - self.posts]
        authors = [post.owner.pk for post in posts if post.owner is not None and post.owner.pk is not None]
        return replace(
            self,
            pages=self.pages + 1,
            posts=self.posts + len(posts),
            people=tuple(dict.fromkeys([*self.people, *authors])),
            cursor=page.next if page.posts else None,
        )

    def with_look(self, pk: int, seen: Seen) -> "Progress":
        """After the look at a person."""
        return replace(self, looks={**self.looks, pk: seen})

    def new_people(self, known: AbstractSet[int]) -> list[int]:
        """Whom to look at: neither known nor looked at already."""
        return [pk for pk in self.people if pk not in known and pk not in self.looks]


@dataclass(frozen=True, slots=True)
class Counts:
    """The row of `hashtag_discoveries`. `refused` are people who are gone, private, erased or too small."""

    posts: int
    people: int
    known: int
    refused: int
    added: int


def counts(progress: Progress) -> Counts:
    """The figures of a task at its end: who was not looked at was known."""
    seen = Counter(progress.looks.values())
    known = len(progress.people) - len(progress.looks) + seen[Seen.KNOWN]
    added = seen[Seen.ADDED]
    people = len(progress.people)
    return Counts(progress.posts, people, known, people - known - added, added)


def steps_of(progress: Progress) -> dict[str, Any]:
    """As the steps of the task."""
    cursor = progress.cursor
    return {
        "pages": progress.pages,
        "posts": progress.posts,
        "people": list(progress.people),
        "cursor": None
        if cursor is None
        else {"max_id": cursor.max_id, "page": cursor.page, "media_ids": list(cursor.media_ids)},
        "looks": {str(pk): seen for pk, seen in progress.looks.items()},
    }


def progress_of(steps: Mapping[str, Any]) -> Progress:
    """From the steps of the task."""
    cursor = steps.get("cursor")
    return Progress(
        pages=steps.get("pages", 0),
        posts=steps.get("posts", 0),
        people=tuple(steps.get("people", ())),
        cursor=None if cursor is None else HashtagCursor(**cursor),
        looks={int(pk): Seen(seen) for pk, seen in steps.get("looks", {}).items()},
    )
