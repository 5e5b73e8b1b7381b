"""`sandbox`: the local servers and their data, for this command and for others such as `dagster`."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from entity_pipeline.cli.connections import FIRST_DAY, first_day_of
from entity_pipeline.cli.shell import current_shell
from entity_pipeline.core.failures import ConfigurationFailure, InputRejected


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


@sandbox.command()
def env() -> None:
    """Print the sandbox's variables as shell commands: eval "$(entity-pipeline sandbox env)".

    The servers run while `up` or another command uses them; to start them for one command, use `sandbox run`.
    """
    with _variables() as variables:
        for name, value in sorted(variables.items()):
            click.echo(f"export {name}={shlex.quote(value)}")


@sandbox.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run COMMAND with the sandbox's servers and variables, for example `sandbox run dagster dev`."""
    with _variables() as variables:
        own = str(Path(sys.executable).parent)  # so that `dagster` is the one beside this command
        path = os.pathsep.join([own, os.environ.get("PATH", "")])
        try:
            process = subprocess.Popen(command, env={**os.environ, **variables, "PATH": path})
        except OSError as error:
            raise InputRejected(f"'{command[0]}' can't be run ({error.strerror}).") from None
        # Ctrl-C in the terminal reaches the command itself; its servers must outlive it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            if process.poll() is None:
                process.terminate()
                process.wait()
    sys.exit(code)


@contextmanager
def _variables() -> Iterator[Mapping[str, str]]:
    """The sandbox's variables while its servers run.

    Raises:
        ConfigurationFailure: there is no sandbox yet.
    """
    from entity_pipeline.cli.dagster_home import prepare_dagster_home
    from entity_pipeline.sandbox.environment import Sandbox
    from entity_pipeline.sandbox.sample import references

    shell = current_shell()
    if not (shell.directory / "state.json").exists():
        raise ConfigurationFailure(
            f"There is no sandbox in {shell.directory}: run `entity-pipeline demo` first."
        )
    with Sandbox(shell.directory, references(shell.domains)) as servers:
        variables = {**servers, FIRST_DAY: first_day_of(shell.directory)}
        os.environ.update(variables)
        prepare_dagster_home()
        yield variables
