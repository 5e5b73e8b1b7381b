"""`HighlightItems`: the stories of up to five highlights, through the mobile interface."""

from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsRead
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.highlight_node import PREFIX, read_highlights


def _ask(look: HighlightItems, wire: Wire) -> HighlightsRead:
    parameters = {"reel_ids": [f"{PREFIX}{pk}" for pk in look.pks]}
    answer = wire.json(lambda: wire.context.get_iphone_json("api/v1/feed/reels_media/", parameters))
    return read_highlights(answer, look.pks)


HANDLER = SeatedHandler(
    call=DataCall(), most_requests=1, first_host="i.instagram.com", ask=_ask, needs_session=True
)
