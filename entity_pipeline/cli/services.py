"""The project's resources for commands: the same classes and variables as in the code location."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from entity_pipeline.resources.registry import resources_of_environment


@contextmanager
def services() -> Iterator[Any]:
    """All resources by key, as attributes, ready for use."""
    with dg.build_resources(resources_of_environment()) as built:
        yield built
