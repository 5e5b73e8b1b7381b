"""From the answers about a hashtag to a `HashtagPage`. Pure.

Instaloader's own reader fails on sections that show reels.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import category

from entity_pipeline.core.instagram.hashtag_top import HashtagCursor, HashtagMore, HashtagPage, HashtagTop
from entity_pipeline.resources.instagram.handlers import Unreadable
from entity_pipeline.resources.instagram.operations.node_fields import (
    count,
    flag,
    identifiers,
    node,
    nodes,
    text,
)
from entity_pipeline.resources.instagram.operations.post_node import read_posts

_LONGEST_TAG = 150


def read_answer(answer: Mapping[str, Any]) -> HashtagPage:
    """The page in either answer; a tag without posts has an empty one.

    Raises:
        Unreadable: there are no sections, or none of their posts can be read.
    """
    tag = node(answer.get("data"))
    block = node(tag.get("top")) or answer
    sections = block.get("sections")
    if not isinstance(sections, list):
        raise Unreadable("the answer has no sections")
    found = read_posts(media for section in nodes(sections) for media in _medias(section))
    return HashtagPage(found.posts, found.unread, count(tag.get("media_count")), _cursor(block))


def _medias(section: Mapping[str, Any]) -> Iterator[Any]:
    """The posts of one section, in whichever of its three layouts."""
    content = node(section.get("layout_content"))
    reels = node(content, "one_by_two_item", "clips").get("items")
    for items in (content.get("medias"), reels, content.get("fill_items")):
        for item in nodes(items):
            yield item.get("media")


def _cursor(block: Mapping[str, Any]) -> HashtagCursor | None:
    max_id, page = text(block.get("next_max_id")), count(block.get("next_page"))
    if max_id is None or flag(block.get("more_available")) is False:
        return None
    return HashtagCursor(max_id, page or 1, identifiers(block.get("next_media_ids")))


def refuses(look: HashtagTop | HashtagMore) -> str | None:
    """A tag is part of a path, so whatever would end that part is refused."""
    tag = look.target
    valid = 0 < len(tag) <= _LONGEST_TAG and all(one == "_" or category(one)[0] in "LMN" for one in tag)
    return None if valid else "This is not a valid hashtag; nothing was sent."
