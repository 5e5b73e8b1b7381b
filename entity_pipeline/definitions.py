"""The one assembly seam: what Dagster loads, and what tests and the command line load with other resources."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.domain import Domain
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.shared.alerts.sensor import alerts_sensor
from entity_pipeline.shared.gemini_spend.definitions import gemini_spend_definitions
from entity_pipeline.shared.runs.owners import owners
from entity_pipeline.shared.runs.switch_off import switch_off_sensor


def build_definitions(
    overrides: Mapping[str, Any] | None = None, domains: Sequence[Domain] = DOMAINS
) -> dg.Definitions:
    """All domains with the resources of the environment; `overrides` replaces resources by key."""
    of_domains = {domain.key: domain.definitions() for domain in domains}
    whose = owners(of_domains.items())
    return dg.Definitions.merge(
        *of_domains.values(),
        gemini_spend_definitions(of_domains.values()),
        dg.Definitions(sensors=[switch_off_sensor(domains, whose), alerts_sensor(domains, whose)]),
        dg.Definitions(
            resources={**resources_of_environment(), **(overrides or {})}, executor=dg.in_process_executor
        ),
    )


defs = build_definitions()
