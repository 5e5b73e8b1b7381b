"""The project's resources for commands: the same classes and variables as in the code location.

Dagster wraps the exceptions of resources and assets; `innermost` unwraps them.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import dagster as dg
from dagster import DagsterUserCodeExecutionError

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.ports import Database
from entity_pipeline.core.schema_needs import DatabaseName
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.resources.registry import resources_of_environment

_kept: ContextVar["_Kept | None"] = ContextVar("_kept", default=None)


class _Kept:
    """Resources that are built at first use."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._built: Any = None

    def built(self) -> Any:
        if self._built is None:
            self._built = self._stack.enter_context(_built())
        return self._built


@contextmanager
def kept_services() -> Iterator[None]:
    """Within the block, `services` are built only once, because building them takes most of a second."""
    with ExitStack() as stack:
        token = _kept.set(_Kept(stack))
        try:
            yield
        finally:
            _kept.reset(token)


@contextmanager
def services() -> Iterator[Any]:
    """All resources by key, as attributes, ready for use.

    Raises:
        PipelineFailure: a resource can't be made from its variables.
    """
    if (kept := _kept.get()) is not None:
        yield kept.built()
        return
    with _built() as built:
        yield built


@contextmanager
def _built() -> Iterator[Any]:
    try:
        with dg.build_resources(resources_of_environment()) as built:
            yield built
    except DagsterUserCodeExecutionError as error:
        root = innermost(error)
        raise root if isinstance(root, PipelineFailure) else error from None


@contextmanager
def database(name: DatabaseName) -> Iterator[Database]:
    """One database of the environment, for a command that needs nothing else."""
    with open_database(os.environ[f"{name.upper()}_DATABASE_URL"]) as opened:
        yield opened


def innermost(error: BaseException) -> BaseException:
    """The exception of the project's code inside Dagster's wrappers."""
    while isinstance(error, DagsterUserCodeExecutionError):
        error = error.user_exception
    return error
