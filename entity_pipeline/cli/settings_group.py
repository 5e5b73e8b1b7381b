"""The verbs of `settings` and their options. What they do is in `settings.py`."""

import click

from entity_pipeline.cli.shell import with_databases


@click.group()
def settings() -> None:
    """Show and change the row of pipeline_settings."""


@settings.command("show")
@with_databases
def settings_show() -> None:
    """Show the switch and every setting."""
    from entity_pipeline.cli.settings import show

    show()


@settings.command("enable")
@with_databases
def settings_enable() -> None:
    """Switch the pipeline on."""
    from entity_pipeline.cli.settings import switch

    switch(True)


@settings.command("disable")
@with_databases
def settings_disable() -> None:
    """Switch the pipeline off: nothing new starts, what runs stops at the next account."""
    from entity_pipeline.cli.settings import switch

    switch(False)


@settings.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...")
@with_databases
def settings_set(assignments: tuple[str, ...]) -> None:
    """Change settings, all or none of them: daily_grounding_cap=1200 thresholds.brand=0.9."""
    from entity_pipeline.cli.settings import change

    change(assignments)
