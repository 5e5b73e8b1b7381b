"""The command line as a whole: its verbs, and how it ends. Each verb is in the module named in its line.

Verbs of one domain belong to the domain.
"""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from dagster_shared.utils.warnings import BetaWarning

from entity_pipeline.cli.connections import DEFAULT_SANDBOX
from entity_pipeline.cli.groups import DomainCommands, Verb, VerbGroup
from entity_pipeline.cli.interruption import take_sigterm
from entity_pipeline.cli.shell import Shell
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import PipelineFailure

_HERE = "entity_pipeline.cli"
VERBS = (
    Verb(
        "demo", f"{_HERE}.demo:demo", "Run every domain once on sample data, all local, and check the result."
    ),
    Verb(
        "up",
        f"{_HERE}.serve:up",
        "Run the demo, then serve the Dagster UI, automation and the page until Ctrl-C.",
    ),
    Verb("admin", f"{_HERE}.admin:admin", "Serve the administration page and its API until Ctrl-C."),
    Verb("migrate", f"{_HERE}.migrate:migrate", "Bring the schema of both databases up to date."),
    Verb("doctor", f"{_HERE}.doctor:doctor", "Check every connection, schema and setting, one line each."),
    Verb("status", f"{_HERE}.status:status", "Show pending work and decisions of each domain."),
    Verb("settings", f"{_HERE}.settings_group:settings", "Show and change the rows of pipeline_settings."),
    Verb(
        "quota",
        f"{_HERE}.quota:quota",
        "Show today's use of the Gemini quota, and the money spent.",
    ),
    Verb(
        "request", f"{_HERE}.request:request", "Show the texts that one request of the ledger sent to Gemini."
    ),
    Verb(
        "instagram",
        f"{_HERE}.instagram_group:instagram",
        "The operator's Instagram accounts (`pool`). Only `pool test` sends a request to Instagram.",
    ),
    Verb("pool", f"{_HERE}.instagram_group:pool", "Now `instagram pool`.", former=True),
    Verb(
        "alerts", f"{_HERE}.alerts:alerts", "The channels for alerts: `alerts test` sends a message by each."
    ),
    Verb("sandbox", f"{_HERE}.sandbox:sandbox", "The local servers and their data."),
)
_INTERRUPTED = "Interrupted. Finished work is kept; run the same command again to continue."


class CommandLine(VerbGroup):
    """The shared verbs, a group for each domain, and the domains' verbs that also work without the group."""

    def __init__(self, domains: Sequence[Domain], **options: Any) -> None:
        super().__init__("entity-pipeline", VERBS, **options)
        self._domains = domains

    @cached_property
    def _commands(self) -> list[tuple[Domain, DomainCommands]]:
        return [(domain, domain.commands()) for domain in self._domains if domain.commands is not None]

    @property
    def _at_the_top(self) -> dict[str, Verb]:
        return {
            verb.name: verb
            for _, commands in self._commands
            for verb in commands.verbs
            if verb.name in commands.at_the_top
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The shared verbs, then the domains, then the domains' verbs that also work without the group."""
        of_domains = [domain.key for domain, _ in self._commands]
        return [*super().list_commands(ctx), *of_domains, *self._at_the_top]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb that is used."""
        if shared := super().get_command(ctx, cmd_name):
            return shared
        for domain, commands in self._commands:
            if domain.key == cmd_name:
                return VerbGroup(domain.key, commands.verbs, help=domain.summary)
        verb = self._at_the_top.get(cmd_name)
        return verb.load() if verb is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The shared verbs, then each domain."""
        super().format_commands(ctx, formatter)
        with formatter.section("Domains"):
            formatter.write_dl(
                [(f"{domain.key} COMMAND", domain.summary) for domain, _ in self._commands] or [("none", "")]
            )
        for domain, commands in self._commands:
            known = [verb for verb in commands.verbs if verb.name in commands.at_the_top]
            if known:
                with formatter.section(f"Commands of {domain.key} that also work without '{domain.key}'"):
                    formatter.write_dl([(verb.name, verb.said) for verb in known])


def build(domains: Sequence[Domain], definitions: Callable[[], Any]) -> CommandLine:
    """The whole command line over these domains; `definitions` returns the code location whose jobs it runs."""

    def start(directory: Path) -> None:
        from dotenv import load_dotenv

        load_dotenv(Path.cwd() / ".env", override=False)
        # Dagster reports usage to its vendor by default, but this must work without a network.
        os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
        context = click.get_current_context()
        context.obj = Shell(domains, definitions, directory)

    option = click.Option(
        ["--dir", "directory"],
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_SANDBOX,
        show_default=True,
        help="Folder of the sandbox, used when no database is named in the environment.",
    )
    help_text = (
        "Gather, enrich and show data about fashion on Instagram, domain by domain.\n\n"
        "Works on the databases named by OPERATION_DATABASE_URL and ASSETS_DATABASE_URL, or in a sandbox."
    )
    version_option = click.version_option(
        package_name="entity-pipeline", message="entity-pipeline %(version)s"
    )
    group = CommandLine(domains, callback=start, params=[option], help=help_text)
    return version_option(group)


def main(domains: Sequence[Domain], definitions: Callable[[], Any]) -> None:
    """Run the command line of this process."""
    # Dagster prints long warnings about parameters that it still calls beta.
    warnings.filterwarnings("ignore", category=BetaWarning)
    take_sigterm()
    try:
        build(domains, definitions)(prog_name="entity-pipeline", standalone_mode=False)
    except PipelineFailure as failure:
        _end(str(failure))
    except (click.exceptions.Abort, KeyboardInterrupt):
        _end(_INTERRUPTED, 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _end(sentence: str, code: int = 1) -> None:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(code)
