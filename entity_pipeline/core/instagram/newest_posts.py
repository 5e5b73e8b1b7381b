"""The operations `newest_posts` and `newest_posts_by_name`: one page of a profile's own posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.post import InstagramPost

MOST_POSTS = 33  # per request


@dataclass(frozen=True, slots=True)
class PostsPage:
    """The whole page, newest first: pinned posts, which Instagram puts first, stand at their time.

    Attributes:
        posts: Never empty. It can hold more or fewer than requested, and lacks reels that are hidden from the grid.
        unread: Nodes that could not be read.
        more: Whether there are older ones; None when not said.
    """

    posts: Sequence[InstagramPost]
    unread: int = 0
    more: bool | None = None


@dataclass(frozen=True, slots=True)
class NewestPosts(Operation[PostsPage]):
    """The newest posts of the profile with this pk, which outlives renames, with plays.

    An empty page is UNANSWERED: Instagram shows one for a private or blocked profile and under a soft limit too, so
    ask only where the profile has posts.
    """

    name: ClassVar[str] = "newest_posts"
    pk: int
    count: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_POSTS:
            raise ValueError(f"count must be 1 to {MOST_POSTS}, not {self.count}")

    @property
    def target(self) -> str:
        """The pk."""
        return str(self.pk)


@dataclass(frozen=True, slots=True)
class NewestPostsByName(Operation[PostsPage]):
    """The newest 12 posts of the profile with this username, as a browser asks for them; plays may be missing.

    A renamed profile is not found under its former name. An empty page is UNANSWERED here too.
    """

    name: ClassVar[str] = "newest_posts_by_name"
    username: str

    @property
    def target(self) -> str:
        """The username in lower case."""
        return self.username.lower()
