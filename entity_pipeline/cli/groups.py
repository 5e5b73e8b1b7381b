"""Groups of verbs whose modules are loaded only when a verb is used, and whose help says what a verb may cost.

The verbs themselves do not belong here: `main.py` lists the shared ones, and each domain its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from importlib import import_module
from typing import Any

import click

HELP_OPTIONS: Mapping[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Cost(Flag):
    """The costs of a verb beyond the time of this machine."""

    NOTHING = 0
    GEMINI = auto()
    INSTAGRAM = auto()

    @property
    def sentence(self) -> str:
        """The sentence for `--help`; empty if it costs nothing."""
        says = {Cost.GEMINI: "Pays Google for Gemini.", Cost.INSTAGRAM: "Sends requests to Instagram."}
        return " ".join(sentence for cost, sentence in says.items() if cost in self)


@dataclass(frozen=True, slots=True)
class Verb:
    """One entry of a group.

    Attributes:
        where: the click command as ``"package.module:attribute"``, imported when the verb is used.
        summary: one sentence for the list of the group, so that the list loads nothing.
        cost: what it may cost, shown in the list and in its own help.
        former: whether it is a name of earlier releases, which still works but is not listed.
    """

    name: str
    where: str
    summary: str
    cost: Cost = Cost.NOTHING
    former: bool = False

    @property
    def said(self) -> str:
        """Its line in the list of a group."""
        return f"{self.summary} {self.cost.sentence}".rstrip()

    def load(self) -> click.Command:
        """Import it."""
        command: click.Command = load(self.where)
        if self.cost:
            command.epilog = self.cost.sentence
        return command


@dataclass(frozen=True, slots=True)
class DomainCommands:
    """A domain's part of the command.

    Attributes:
        verbs: its verbs, as ``entity-pipeline <domain> <verb>``.
        at_the_top: names of verbs that also work without the domain, as ``entity-pipeline <verb>``.
        status: a function without arguments, as ``"package.module:attribute"``, that prints pending work and
            decisions; `status` calls it for each domain.
    """

    verbs: Sequence[Verb]
    at_the_top: frozenset[str] = frozenset()
    status: str | None = None


class VerbGroup(click.Group):
    """A group of `verbs`; `--help` shows them without loading any."""

    def __init__(self, name: str, verbs: Sequence[Verb], **options: Any) -> None:
        super().__init__(name, context_settings=dict(HELP_OPTIONS), **options)
        self._verbs = {verb.name: verb for verb in verbs}
        self._listed = [verb for verb in verbs if not verb.former]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order given."""
        return [verb.name for verb in self._listed]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb that is used."""
        verb = self._verbs.get(cmd_name)
        return verb.load() if verb is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each verb with its whole sentence."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb.name, verb.said) for verb in self._listed])


def load(where: str) -> Any:
    """The object at ``"package.module:attribute"``."""
    module, _, attribute = where.partition(":")
    return getattr(import_module(module), attribute)
