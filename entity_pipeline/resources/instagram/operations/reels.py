"""`ReelsLook`: the reels tab, by the query of the web app with an account's session.

Instaloader's iterator is made and not read: making it sends the one request, reading it sends one for each reel.
"""

from collections.abc import Mapping
from typing import Any

from instaloader import Profile

from entity_pipeline.core.instagram.profile import CANARY, CANARY_PK
from entity_pipeline.core.instagram.reels import Reel, ReelsLook, ReelsPage
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.context import GovernedContext
from entity_pipeline.resources.instagram.handlers import SeatedHandler, Unreadable
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.node_fields import (
    count,
    flag,
    identifier,
    identifiers,
    node,
    nodes,
)
from entity_pipeline.resources.instagram.operations.post_node import is_code, likes_of

_CONNECTION = "xdt_api__v1__clips__user__connection_v2"


def read_answer(answer: Mapping[str, Any]) -> ReelsPage:
    """The page in the answer; a page without reels is empty.

    Raises:
        Unreadable: there is no list, or none of its tiles can be read.
    """
    connection = node(answer, "data", _CONNECTION)
    edges = connection.get("edges")
    if not isinstance(edges, list):
        raise Unreadable("the answer has no list of reels")
    tiles = [_tile(node(edge, "node", "media")) for edge in nodes(edges)]
    found = tuple(tile for tile in tiles if tile is not None)
    if edges and not found:
        raise Unreadable("none of the reels can be read")
    more = flag(node(connection.get("page_info")).get("has_next_page"))
    return ReelsPage(found, len(edges) - len(found), more)


def bare_profile(context: GovernedContext, username: str, pk: int | None = None) -> Profile:
    """A profile that Instaloader takes for complete, so that it asks for the page and nothing else."""
    profile = Profile(context, {"username": username, "id": pk, "is_private": False})
    profile._has_full_metadata = True  # noqa: SLF001 - there is no public way to skip that request
    return profile


def _tile(media: Mapping[str, Any]) -> Reel | None:
    pk, code = identifier(media.get("pk")), media.get("code")
    if pk is None or not isinstance(code, str) or not is_code(code):
        return None
    likes, hidden = likes_of(media)
    return Reel(
        pk=pk,
        code=code,
        play_count=count(media.get("play_count")),
        like_count=likes,
        likes_hidden=hidden,
        comment_count=count(media.get("comment_count")),
        pinned_by=identifiers(media.get("clips_tab_pinned_user_ids")),
    )


def _ask(look: ReelsLook, wire: Wire) -> ReelsPage:
    return read_answer(wire.json(bare_profile(wire.context, look.username, look.pk).get_reels))


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="www.instagram.com",
    ask=_ask,
    needs_session=True,
    canary=ReelsLook(CANARY_PK, CANARY),
)
