"""The registration of the domain `entities`. What is heavy is imported inside the functions."""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.core.alerts import AlertSource
from entity_pipeline.core.domain import Domain, HealthCheck
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.schema import NEEDS
from entity_pipeline.domains.entities.settings import EntitySettings


def definitions() -> Any:
    """What Dagster loads."""
    from entity_pipeline.domains.entities.definitions import entities_definitions

    return entities_definitions()


def health() -> Sequence[HealthCheck]:
    """What `doctor` looks at."""
    from entity_pipeline.domains.entities.health import CHECKS

    return CHECKS


def commands() -> Any:
    """The verbs of `entity-pipeline entities`."""
    from entity_pipeline.domains.entities.commands.verbs import COMMANDS

    return COMMANDS


def sample() -> Any:
    """What the sandbox plays."""
    from entity_pipeline.domains.entities.sample.entity_sample import EntitySample

    return EntitySample()


def page() -> Any:
    """What it shows."""
    from entity_pipeline.domains.entities.page.page import EntitiesPage

    return EntitiesPage


def alerts() -> AlertSource:
    """What it tells people."""
    from entity_pipeline.domains.entities.alerts import entity_alerts

    return entity_alerts


entities = Domain(
    key=KEY,
    summary="Turn accounts tagged in Instagram posts into a catalog of artists, brands and groups.",
    settings=EntitySettings,
    definitions=definitions,
    needs=NEEDS,
    health=health,
    alerts=alerts,
    commands=commands,
    sample=sample,
    page=page,
)
