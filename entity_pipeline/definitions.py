"""The one assembly seam: what Dagster loads, and what tests and the command line load with other resources."""

import warnings
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
    with warnings.catch_warnings():
        # Dagster warns at length of documented parameters that it does not call final yet.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        of_domains = {domain.key: domain.definitions() for domain in domains}
        return _merged(of_domains, domains, overrides or {})


def _merged(
    of_domains: Mapping[str, dg.Definitions], domains: Sequence[Domain], overrides: Mapping[str, Any]
) -> dg.Definitions:
    whose = owners(of_domains.items())
    return dg.Definitions.merge(
        *of_domains.values(),
        gemini_spend_definitions(of_domains.values()),
        dg.Definitions(sensors=[switch_off_sensor(domains, whose), alerts_sensor(domains, whose)]),
        dg.Definitions(
            resources={**resources_of_environment(), **overrides}, executor=dg.in_process_executor
        ),
    )


defs = build_definitions()
