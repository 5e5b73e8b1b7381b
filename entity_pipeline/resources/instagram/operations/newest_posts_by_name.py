"""`NewestPostsByName`: a profile's page by its username, by the query of the site with an account's session.

Instaloader's iterator is made and not read: making it sends the request. The tokens of the query cost one more when
none are kept for the session.
"""

from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.instagram.newest_posts import NewestPostsByName, PostsPage
from entity_pipeline.core.instagram.post import InstagramPost
from entity_pipeline.core.instagram.profile import CANARY
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler, Unreadable
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.newest_posts import empty, newest_first
from entity_pipeline.resources.instagram.operations.node_fields import flag, node, nodes
from entity_pipeline.resources.instagram.operations.post_node import read_posts
from entity_pipeline.resources.instagram.operations.profile import refuses_name
from entity_pipeline.resources.instagram.operations.reels import bare_profile

_CONNECTION = "xdt_api__v1__feed__user_timeline_graphql_connection"


def read_answer(answer: Mapping[str, Any], username: str) -> PostsPage:
    """The page in the answer.

    Raises:
        Observed: the page is empty.
        Unreadable: there is no list of posts, it is another profile's, or none of its posts can be read.
    """
    connection = node(answer, "data", _CONNECTION)
    edges = connection.get("edges")
    if not isinstance(edges, list):
        raise Unreadable("the answer has no list of posts")
    if not edges:
        raise empty({})
    found = read_posts(edge.get("node") for edge in nodes(edges))
    if not any(_may_be_by(post, username) for post in found.posts):
        raise Unreadable("the page is another profile's")
    more = flag(node(connection.get("page_info")).get("has_next_page"))
    return PostsPage(newest_first(found.posts), found.unread, more)


def _may_be_by(post: InstagramPost, username: str) -> bool:
    if post.owner is None or post.owner.username is None:
        return True
    return username in {post.owner.username, *(one.username for one in post.coauthors)}


def _ask(look: NewestPostsByName, wire: Wire) -> PostsPage:
    with wire.tokens.lent(wire.context):
        answer = wire.json(bare_profile(wire.context, look.target).get_posts)
    return read_answer(answer, look.target)


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=2,
    first_host="www.instagram.com",
    ask=_ask,
    refuses=refuses_name,
    needs_session=True,
    canary=NewestPostsByName(CANARY),
)
