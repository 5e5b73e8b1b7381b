"""The list of domains, and the command's entry. To add a domain is one line here; see docs/adding-a-domain.md.

What Dagster loads is put together in `definitions.py`. Nothing else in the package names a domain.
"""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.core.domain import Domain
from entity_pipeline.domains.entities.domain import entities

DOMAINS: Sequence[Domain] = (entities,)


def main() -> None:
    """The console script `entity-pipeline`."""
    from entity_pipeline.cli.main import main as run

    run(DOMAINS, _definitions)


def _definitions() -> Any:
    from entity_pipeline.definitions import defs

    return defs
