"""The registration of the domain `entities`. Heavy modules are imported inside the functions."""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.core.alerts import AlertSource
from entity_pipeline.core.domain import Domain, HealthCheck
from entity_pipeline.core.trials import Trial
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.schema import NEEDS
from entity_pipeline.domains.entities.settings import EntitySettings


def definitions() -> Any:
    """The Dagster definitions."""
    from entity_pipeline.domains.entities.definitions import entities_definitions

    return entities_definitions()


def health() -> Sequence[HealthCheck]:
    """The checks for `doctor`."""
    from entity_pipeline.domains.entities.health import CHECKS

    return CHECKS


def trials() -> Sequence[Trial]:
    """One write of each kind, for `doctor`."""
    from entity_pipeline.domains.entities.trials import TRIALS

    return TRIALS


def commands() -> Any:
    """The verbs of `entity-pipeline entities`."""
    from entity_pipeline.domains.entities.commands.verbs import COMMANDS

    return COMMANDS


def sample() -> Any:
    """The sample for the sandbox."""
    from entity_pipeline.domains.entities.sample.entity_sample import EntitySample

    return EntitySample()


def page() -> Any:
    """The administration page."""
    from entity_pipeline.domains.entities.page.page import EntitiesPage

    return EntitiesPage


def alerts() -> AlertSource:
    """The source of alerts."""
    from entity_pipeline.domains.entities.alerts import entity_alerts

    return entity_alerts


entities = Domain(
    key=KEY,
    summary="Turn accounts tagged in Instagram posts into a catalog of artists, brands and groups.",
    settings=EntitySettings,
    definitions=definitions,
    needs=NEEDS,
    health=health,
    trials=trials,
    alerts=alerts,
    commands=commands,
    sample=sample,
    page=page,
)
