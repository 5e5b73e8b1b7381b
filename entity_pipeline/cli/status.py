"""`status`: show pending work and decisions, one domain after the other.

The output of a domain does not belong here: each domain provides a function that prints it.
"""

import sys
from datetime import UTC, datetime

import click
from rich.console import Console

from entity_pipeline.cli.groups import load
from entity_pipeline.cli.shell import current_shell, with_databases
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.core.gemini.settings import GeminiSettings


@click.command()
@with_databases
def status() -> None:
    """Show pending work, decisions, and what each domain waits for."""
    failures: set[str] = set()
    for domain in current_shell().domains:
        _show(domain, failures)
    if failures:
        sys.exit(1)


def _show(domain: Domain, failures: set[str]) -> None:
    """Print one domain's part. Why it could not be read is added to `failures`; the other domains are still shown."""
    Console(soft_wrap=True).rule(domain.key, align="left")
    commands = domain.commands() if domain.commands is not None else None
    try:
        if commands is None or commands.status is None:
            click.echo("It has nothing that could be pending.")
        else:
            load(commands.status)()
        if GeminiSettings in domain.settings.uses:
            _show_spend(domain)
    except PipelineFailure as failure:
        if str(failure) in failures:
            click.echo("It can't be read either, for the same reason.")
        else:
            click.echo(f"error: {failure}", err=True)
        failures.add(str(failure))


def _show_spend(domain: Domain) -> None:
    from entity_pipeline.cli.quota import spend_in_words, spends
    from entity_pipeline.cli.services import services

    with services() as built:
        spend = spends(built, [domain], quota_day(datetime.now(UTC)))[0]
    click.echo(f"Gemini: {spend_in_words(spend)}")
