"""The verbs of `instagram` and their options. What those of its `pool` do is in `pool.py`."""

from pathlib import Path

import click

from entity_pipeline.cli.shell import with_databases


@click.group()
def instagram() -> None:
    """What Instagram is asked with, for all domains."""


@click.group()
def pool() -> None:
    """The operator's Instagram accounts and their routes. Only `test` sends a request to Instagram."""


instagram.add_command(pool)


@pool.command("add")
@click.argument("name")
@click.option(
    "--cookies",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A browser's cookie export: JSON of a cookie extension, or cookies.txt.",
)
@click.option(
    "--instaloader-session",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A session file of Instaloader.",
)
@click.option("--route", metavar="NAME", help="Its way out; 'direct' for a new account when left out.")
@click.option("--proxy", metavar="URL", help="The route's proxy; makes the route or changes its proxy.")
@with_databases
def pool_add(
    name: str, cookies: Path | None, instaloader_session: Path | None, route: str | None, proxy: str | None
) -> None:
    """Add an account with its session, or give one that is there a new session."""
    from entity_pipeline.cli.pool import add

    add(name, cookies, instaloader_session, route=route, proxy=proxy)


@pool.command("list")
@with_databases
def pool_list() -> None:
    """Show every account: state, route, cooling, last outcome, lease. No secret is shown."""
    from entity_pipeline.cli.pool import show

    show()


@pool.command("test")
@click.argument("name")
@with_databases
def pool_test(name: str) -> None:
    """Look once at a profile that is always there, as this account by its route, within the limits."""
    from entity_pipeline.cli.pool import try_out

    try_out(name)


@pool.command("disable")
@click.argument("name")
@with_databases
def pool_disable(name: str) -> None:
    """Take an account out of use at once."""
    from entity_pipeline.cli.pool import disable

    disable(name)


@pool.command("enable")
@click.argument("name")
@with_databases
def pool_enable(name: str) -> None:
    """Take a disabled account back into use; a cooling that is not over goes on."""
    from entity_pipeline.cli.pool import enable

    enable(name)
