"""The project's resources for commands: the same classes and variables as in the code location.

Dagster wraps what a resource or an asset raised; here is how to get at it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster import DagsterUserCodeExecutionError

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.resources.registry import resources_of_environment


@contextmanager
def services() -> Iterator[Any]:
    """All resources by key, as attributes, ready for use.

    Raises:
        PipelineFailure: a resource can't be made of its variables.
    """
    try:
        with dg.build_resources(resources_of_environment()) as built:
            yield built
    except DagsterUserCodeExecutionError as error:
        root = innermost(error)
        raise root if isinstance(root, PipelineFailure) else error from None


def innermost(error: BaseException) -> BaseException:
    """What the project's code raised, under all of Dagster's wrappers."""
    while isinstance(error, DagsterUserCodeExecutionError):
        error = error.user_exception
    return error
