"""The registration of the domain `influencers`. Heavy modules are imported inside the functions."""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.core.alerts import AlertSource
from entity_pipeline.core.domain import Domain, HealthCheck
from entity_pipeline.core.trials import Trial
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


def health() -> Sequence[HealthCheck]:
    """The checks for `doctor`."""
    from entity_pipeline.domains.influencers.health import CHECKS

    return CHECKS


def trials() -> Sequence[Trial]:
    """One write of each kind, for `doctor`."""
    from entity_pipeline.domains.influencers.trials import TRIALS

    return TRIALS


def alerts() -> AlertSource:
    """The source of alerts."""
    from entity_pipeline.domains.influencers.alerts import influencer_alerts

    return influencer_alerts


def page() -> Any:
    """The administration page."""
    from entity_pipeline.domains.influencers.page.page import InfluencersPage

    return InfluencersPage


def sample() -> Any:
    """The made-up bloggers for the sandbox."""
    from entity_pipeline.domains.influencers.sample.influencer_sample import InfluencerSample

    return InfluencerSample()


influencers = Domain(
    key=KEY,
    summary="Find, measure and describe bloggers on Instagram within the shared budget.",
    settings=InfluencerSettings,
    definitions=definitions,
    needs=NEEDS,
    own_api=own_api,
    commands=commands,
    page=page,
    health=health,
    trials=trials,
    alerts=alerts,
    sample=sample,
)
