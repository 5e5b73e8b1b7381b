"""The list of domains, and the command's entry. To add a domain is one line here; see docs/adding-a-domain.md.

What Dagster loads is put together in `definitions.py`. Nothing else in the package names a domain.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from entity_pipeline.core.domain import Domain

# One line per domain, in the order in which they are shown.
_NAMES = [
    "entities",
    "influencers",
]


def _domain(name: str) -> Domain:
    """The variable of that name in `domains/<name>/domain.py`."""
    found: Domain = getattr(import_module(f"entity_pipeline.domains.{name}.domain"), name)
    return found


DOMAINS: Sequence[Domain] = tuple(map(_domain, _NAMES))


def main() -> None:
    """The console script `entity-pipeline`."""
    from entity_pipeline.cli.main import main as run

    run(DOMAINS, _definitions)


def _definitions() -> Any:
    from entity_pipeline.definitions import defs

    return defs
