"""The one assembly seam: what Dagster loads, and what tests and the command line load with other resources."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.domain import Domain
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.shared.gemini_spend.definitions import gemini_spend_definitions


def build_definitions(
    overrides: Mapping[str, Any] | None = None, domains: Sequence[Domain] = DOMAINS
) -> dg.Definitions:
    """All domains with the resources of the environment; `overrides` replaces resources by key."""
    of_domains = [domain.definitions() for domain in domains]
    return dg.Definitions.merge(
        *of_domains,
        gemini_spend_definitions(of_domains),
        dg.Definitions(
            resources={**resources_of_environment(), **(overrides or {})}, executor=dg.in_process_executor
        ),
    )


defs = build_definitions()
