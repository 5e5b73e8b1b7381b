"""The verbs of `settings` and their options. What they do is in `settings.py`."""

from collections.abc import Sequence

import click

from entity_pipeline.cli.shell import current_shell, with_databases
from entity_pipeline.core.settings import DomainSettings


@click.group()
def settings() -> None:
    """Show and change the rows of pipeline_settings.

    NAME is a domain (entities when it is left out), or gemini, instagram or notify, which apply to every domain.
    """


@settings.command("show")
@click.argument("name", required=False)
@with_databases
def settings_show(name: str | None) -> None:
    """Show the switch and every setting of one row, or of all rows."""
    from entity_pipeline.cli.settings import show

    show(_domains(), name)


@settings.command("enable")
@click.argument("name", required=False)
@with_databases
def settings_enable(name: str | None) -> None:
    """Switch a domain or a shared row on."""
    from entity_pipeline.cli.settings import switch

    switch(_domains(), name, True)


@settings.command("disable")
@click.argument("name", required=False)
@with_databases
def settings_disable(name: str | None) -> None:
    """Switch off: nothing new starts, and runs stop at the next account.

    gemini and instagram stop the work that needs them in every domain; notify stops only the alerts.
    """
    from entity_pipeline.cli.settings import switch

    switch(_domains(), name, False)


@settings.command("set")
@click.argument("arguments", nargs=-1, required=True, metavar="[NAME] KEY=VALUE...")
@with_databases
def settings_set(arguments: tuple[str, ...]) -> None:
    """Change settings, all or none of them: thresholds.brand=0.9, or gemini daily_grounding_cap=1200."""
    from entity_pipeline.cli.settings import set_values

    set_values(_domains(), arguments)


def _domains() -> Sequence[type[DomainSettings]]:
    return [domain.settings for domain in current_shell().domains]
