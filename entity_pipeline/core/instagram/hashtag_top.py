"""The operations `hashtag_top` and `hashtag_more`: the first page of a hashtag's top posts, and each further one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.post import InstagramPost


@dataclass(frozen=True, slots=True)
class HashtagCursor:
    """Where the next page begins: Instagram's own words, passed back unchanged. Any account may pass them."""

    max_id: str
    page: int
    media_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class HashtagPage:
    """Posts in Instagram's order, which differs from request to request; some don't have the tag. May be empty.

    `media_count` is how many posts the tag has, on the first page only. The authors' follower counts are not known.
    """

    posts: Sequence[InstagramPost]
    unread: int = 0
    media_count: int | None = None
    next: HashtagCursor | None = None


@dataclass(frozen=True, slots=True)
class HashtagTop(Operation[HashtagPage]):
    """About 20 to 30 top posts of `tag`, without ``#``."""

    name: ClassVar[str] = "hashtag_top"
    tag: str

    @property
    def target(self) -> str:
        """The tag in lower case."""
        return self.tag.lower()


@dataclass(frozen=True, slots=True)
class HashtagMore(Operation[HashtagPage]):
    """The page after the one that gave the cursor `after`."""

    name: ClassVar[str] = "hashtag_more"
    tag: str
    after: HashtagCursor

    @property
    def target(self) -> str:
        """The tag in lower case."""
        return self.tag.lower()
