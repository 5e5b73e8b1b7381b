"""A question before something that costs money or is hard to take back."""

import sys

import click

from entity_pipeline.core.failures import InputRejected


def confirm(question: str, *, yes: bool) -> None:
    """Ask at the terminal, unless `yes` answers already.

    Raises:
        InputRejected: the answer is no, or there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputRejected(
            "Nothing was done: there is no terminal to ask at, so confirm it by adding --yes."
        )
    if not click.confirm(question):
        raise InputRejected("Nothing was done.")
