"""`HashtagTop`: the first page of a hashtag, through the mobile interface."""

from instaloader import Hashtag

from entity_pipeline.core.instagram.hashtag_top import HashtagPage, HashtagTop
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.hashtag_node import read_answer, refuses


def _ask(look: HashtagTop, wire: Wire) -> HashtagPage:
    return read_answer(wire.json(lambda: Hashtag.from_name(wire.context, look.target)))


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="i.instagram.com",
    ask=_ask,
    refuses=refuses,
    needs_session=True,
    canary=HashtagTop("instagram"),
)
