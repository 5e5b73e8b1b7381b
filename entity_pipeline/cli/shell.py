"""The context of every command: the installation it works on, and the domains, which no shell names itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from entity_pipeline.cli.connections import connected
from entity_pipeline.core.domain import Domain

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Shell:
    """The installation that a command works on.

    Attributes:
        domains: those that are installed, in the order in which they are shown.
        definitions: returns the code location, as `dagster.Definitions`; slow the first time, since it loads Dagster.
        directory: the sandbox, used when no database is named in the environment.
    """

    domains: Sequence[Domain]
    definitions: Callable[[], Any]
    directory: Path

    @property
    def by_key(self) -> Mapping[str, Domain]:
        """The domains by their keys."""
        return {domain.key: domain for domain in self.domains}


def current_shell() -> Shell:
    """The shell of the current command."""
    shell: Shell = click.get_current_context().find_root().obj
    return shell


@contextmanager
def databases() -> Iterator[None]:
    """Within the block, the variables name the databases of the environment or those of an existing sandbox."""
    shell = current_shell()
    with connected(shell.directory, shell.domains) as is_sandbox:
        if is_sandbox:
            click.echo(f"Using the sandbox in {shell.directory}.", err=True)
        yield


def with_databases(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command's function under `databases`."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with databases():
            return command(*args, **kwargs)

    return run
