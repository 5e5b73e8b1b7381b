"""The registration of the domain `influencers`. Heavy modules are imported inside the functions."""

from typing import Any

from entity_pipeline.core.domain import Domain
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.schema import NEEDS
from entity_pipeline.domains.influencers.settings import InfluencerSettings


def definitions() -> Any:
    """The Dagster definitions."""
    from entity_pipeline.domains.influencers.definitions import influencer_definitions

    return influencer_definitions()


def own_api() -> Any:
    """The API that feeds the queue."""
    from entity_pipeline.domains.influencers.api.app import own_api as made

    return made


def commands() -> Any:
    """The verbs of `entity-pipeline influencers`."""
    from entity_pipeline.domains.influencers.commands.verbs import COMMANDS

    return COMMANDS


influencers = Domain(
    key=KEY,
    summary="Find, measure and describe bloggers on Instagram within the shared budget.",
    settings=InfluencerSettings,
    definitions=definitions,
    needs=NEEDS,
    own_api=own_api,
    commands=commands,
)
