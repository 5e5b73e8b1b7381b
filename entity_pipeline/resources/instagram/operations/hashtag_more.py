"""`HashtagMore`: a further page of a hashtag, through the site.

Instaloader asks a retired address for it, so the request is made here.
"""

from entity_pipeline.core.instagram.hashtag_top import HashtagMore, HashtagPage
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.hashtag_node import read_answer, refuses


def _ask(look: HashtagMore, wire: Wire) -> HashtagPage:
    form = {
        "include_persistent": "0",
        "max_id": look.after.max_id,
        "next_media_ids": "[" + ",".join(map(str, look.after.media_ids)) + "]",
        "page": str(look.after.page),
        "surface": "grid",
        "tab": "top",
    }
    path = f"api/v1/tags/{look.target}/sections/"
    return read_answer(wire.json(lambda: wire.context.get_json(path, form, use_post=True)))


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="www.instagram.com",
    ask=_ask,
    refuses=refuses,
    needs_session=True,
)
