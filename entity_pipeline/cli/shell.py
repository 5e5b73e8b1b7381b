"""What every command gets with its click context: where it works, and the domains, which no command names itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from entity_pipeline.core.domain import Domain


@dataclass(frozen=True, slots=True)
class Shell:
    """The installation that a command works on.

    Attributes:
        domains: those that are installed, in the order in which they are shown.
        definitions: gives the code location, as `dagster.Definitions`; slow the first time, since it loads Dagster.
        directory: the sandbox, used when no database is named in the environment.
    """

    domains: Sequence[Domain]
    definitions: Callable[[], Any]
    directory: Path

    @property
    def by_key(self) -> Mapping[str, Domain]:
        """The domains by their keys."""
        return {domain.key: domain for domain in self.domains}


def shell_of(context: click.Context | None = None) -> Shell:
    """The shell of the command that runs now."""
    return (context or click.get_current_context()).find_root().obj
