"""`PostLook`: one post by its code, by the query of the web app with an account's session.

Deleted, private, logged out and a retired query differ only in the body: an empty list under the right key is the one
form that can speak of the post. A missing key or null speaks of us, and so it is a drift.
"""

from collections.abc import Mapping
from typing import Any

from instaloader import Post

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.post import CANARY_CODE, InstagramPost, PostLook
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import Observed, SeatedHandler, Unreadable
from entity_pipeline.resources.instagram.judging import ABSENT, DataCall, Verdict
from entity_pipeline.resources.instagram.operations.node_fields import node
from entity_pipeline.resources.instagram.operations.post_node import is_code, read_post
from entity_pipeline.resources.instagram.said import Said

_GONE = ("media not found", "media is unavailable")
_DELETED = "has been deleted"
_PUBLIC = 11  # characters of a code that name the post; private posts add more
_INFO = "xdt_api__v1__media__shortcode__web_info"


def post_says(status: int, keys: Said) -> Verdict | None:
    """Absence as an error: the only 400 that speaks of the post."""
    gone = keys.message.startswith(_GONE) or keys.message.rstrip(".").endswith(_DELETED)
    return ABSENT if status == 400 and gone else None


def read_answer(answer: Mapping[str, Any], code: str) -> InstagramPost:
    """The post in the answer.

    Raises:
        Observed: the list of posts is empty.
        Unreadable: there is no list, or it holds another post.
    """
    items = node(answer, "data", _INFO).get("items")
    if not isinstance(items, list):
        raise Unreadable("the answer has no list of posts")
    if not items:
        raise Observed(Finding.NOT_FOUND, "the list of posts is empty")
    post = read_post(node(items[0]))
    if post.code[:_PUBLIC] != code[:_PUBLIC]:
        raise Unreadable("the answer holds another post")
    return post


def _ask(look: PostLook, wire: Wire) -> InstagramPost:
    return read_answer(wire.json(lambda: Post.from_shortcode(wire.context, look.code)), look.code)


def _refuses(look: PostLook) -> str | None:
    return None if is_code(look.code) else "This is not the code of a post; nothing was sent."


HANDLER = SeatedHandler(
    call=DataCall(post_says),
    most_requests=1,
    first_host="www.instagram.com",
    ask=_ask,
    refuses=_refuses,
    needs_session=True,
    canary=PostLook(CANARY_CODE),
)
