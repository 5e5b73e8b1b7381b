"""`ProfileById`: the profile with a pk, through the mobile interface."""

from entity_pipeline.core.instagram.profile import CANARY_PK, InstagramProfile, ProfileById
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall
from entity_pipeline.resources.instagram.operations.node_fields import node
from entity_pipeline.resources.instagram.operations.profile_node import read_profile_by_id


def _ask(look: ProfileById, wire: Wire) -> InstagramProfile:
    answer = wire.json(lambda: wire.context.get_iphone_json(f"api/v1/users/{look.pk}/info/", {}))
    return read_profile_by_id(node(answer.get("user")), look.pk)


HANDLER = SeatedHandler(
    call=DataCall(),
    most_requests=1,
    first_host="i.instagram.com",
    ask=_ask,
    needs_session=True,
    canary=ProfileById(CANARY_PK),
)
