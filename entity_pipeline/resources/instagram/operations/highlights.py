"""`HighlightsLook`: the tray of a profile, through the mobile interface.

Instaloader's own queries for highlights are retired.
"""

from entity_pipeline.core.instagram.highlights import HighlightsLook, HighlightTray
from entity_pipeline.core.instagram.profile import CANARY_PK
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.highlight_node import read_tray


def _ask(look: HighlightsLook, wire: Wire) -> HighlightTray:
    path = f"api/v1/highlights/{look.pk}/highlights_tray/"
    return read_tray(wire.json(lambda: wire.context.get_iphone_json(path, {})))


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="i.instagram.com",
    ask=_ask,
    needs_session=True,
    canary=HighlightsLook(CANARY_PK),
)
