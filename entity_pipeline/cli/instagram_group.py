"""The verbs of `instagram` and their options. The code of `pool` is in `pool.py`."""

from pathlib import Path

import click

from entity_pipeline.cli.shell import with_databases


@click.group()
def instagram() -> None:
    """The accounts and routes with which all domains query Instagram."""


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
@click.option("--route", metavar="NAME", help="The account's route; by default 'direct' for a new account.")
@click.option("--proxy", metavar="URL", help="The route's proxy; creates the route or changes its proxy.")
@with_databases
def pool_add(
    name: str, cookies: Path | None, instaloader_session: Path | None, route: str | None, proxy: str | None
) -> None:
    """Add an account with its session, or give an existing account a new session."""
    from entity_pipeline.cli.pool import add

    add(name, cookies, instaloader_session, route=route, proxy=proxy)


@pool.command("list")
@with_databases
def pool_list() -> None:
    """Show every account and route without secrets: state, until when it rests, last outcome, lease."""
    from entity_pipeline.cli.pool import show

    show()


@pool.command("test")
@click.argument("name")
@with_databases
def pool_test(name: str) -> None:
    """Fetch a profile that always exists once, with this account over its route, within the limits."""
    from entity_pipeline.cli.pool import try_out

    try_out(name)


@pool.command("disable")
@click.argument("name")
@with_databases
def pool_disable(name: str) -> None:
    """Take an account out of use at once."""
    from entity_pipeline.cli.pool import disable

    disable(name)


@pool.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Remove it without being asked.")
@with_databases
def pool_remove(name: str, yes: bool) -> None:
    """Delete an account and its session from the pool; its route stays."""
    from entity_pipeline.cli.pool import remove

    remove(name, yes=yes)


@pool.command("enable")
@click.argument("name")
@with_databases
def pool_enable(name: str) -> None:
    """Take a disabled account back into use; a cooling that is not over continues."""
    from entity_pipeline.cli.pool import enable

    enable(name)
