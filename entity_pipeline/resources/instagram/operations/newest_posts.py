"""`NewestPosts`: a profile's page by its pk, through the mobile interface, which shows plays."""

from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.instagram.newest_posts import NewestPosts, PostsPage
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import CANARY_PK
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import Observed, SeatedHandler, Unreadable
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.node_fields import flag, identifier, node
from entity_pipeline.resources.instagram.operations.post_node import read_posts


def read_answer(answer: Mapping[str, Any], pk: int) -> PostsPage:
    """The page in the answer.

    Raises:
        Observed: the page is empty.
        Unreadable: there is no list of posts, it is another profile's, or none of its posts can be read.
    """
    items, owner = answer.get("items"), node(answer.get("user"))
    if not isinstance(items, list):
        raise Unreadable("the answer has no list of posts")
    shown = identifier(owner.get("pk"))
    if shown is not None and shown != pk:
        raise Unreadable("the page is another profile's")
    if not items:
        raise empty(owner)
    found = read_posts(items)
    return PostsPage(newest_first(found.posts), found.unread, flag(answer.get("more_available")))


def empty(owner: Mapping[str, Any]) -> Observed:
    """What an empty page means: that the profile is private if it says so, and otherwise nothing."""
    if flag(owner.get("is_private")):
        return Observed(Finding.PRIVATE, "the profile is private")
    return Observed(
        Finding.UNANSWERED, "the page is empty: there are no posts, or none are shown", SeatOutcome.UNCLEAR
    )


def newest_first(posts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The posts by time; pinned ones come first on the page."""
    return tuple(sorted(posts, key=lambda post: post.taken_at, reverse=True))


def _ask(look: NewestPosts, wire: Wire) -> PostsPage:
    path, parameters = f"api/v1/feed/user/{look.pk}/", {"count": look.count}
    return read_answer(wire.json(lambda: wire.context.get_iphone_json(path, parameters)), look.pk)


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="i.instagram.com",
    ask=_ask,
    needs_session=True,
    canary=NewestPosts(CANARY_PK),
)
