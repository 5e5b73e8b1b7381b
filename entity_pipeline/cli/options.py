"""Options that verbs of several groups have. What a verb does with them does not belong here."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def export_target(command: F) -> F:
    """FILE, and its format, as `file` and `form`; see `export_file.py`."""
    return _with(
        command,
        click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False),
        click.option(
            "--format",
            "form",
            type=click.Choice(["csv", "jsonl"]),
            help="The file format; by default the one of FILE's ending, or csv.",
        ),
    )


def serving_address(port: int, of: str, behind_proxy: str) -> Callable[[F], F]:
    """The address of a server as `port`, `host`, `behind_proxy` and `trusted_proxy`.

    `of` is the subject of the port, `behind_proxy` says what the option of that name changes.
    """

    def add(command: F) -> F:
        return _with(
            command,
            click.option("--port", default=port, show_default=True, help=f"Port of the {of}."),
            click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.option("--behind-proxy", is_flag=True, help=behind_proxy),
            click.option(
                "--trusted-proxy",
                default="127.0.0.1",
                show_default=True,
                help="Addresses whose X-Forwarded-For is trusted, comma-separated; only with --behind-proxy.",
            ),
        )

    return add


def _with(command: F, *options: Callable[[F], F]) -> F:
    """The options in the order of `--help`, which is that of decorators from the top."""
    return reduce(lambda made, option: option(made), reversed(options), command)
