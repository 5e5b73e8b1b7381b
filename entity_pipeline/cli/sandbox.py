"""`sandbox`: the local servers and their data."""

import click

from entity_pipeline.cli.shell import current_shell


@click.group()
def sandbox() -> None:
    """The local servers and their data."""


@sandbox.command()
def reset() -> None:
    """Stop the sandbox's servers and delete its folder."""
    from entity_pipeline.sandbox.environment import Sandbox

    directory = current_shell().directory
    if not directory.exists():
        click.echo(f"There is no sandbox in {directory}.")
        return
    Sandbox(directory).reset()
    click.echo(f"The sandbox in {directory} was deleted.")
