"""`migrate`: what it did, whom it waits for meanwhile, and with `--plan` what it would do."""

import os
import re
from collections.abc import Iterator

import click

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.plan import PlannedFile, plan, repairs
from entity_pipeline.resources.installation_check import swapped
from entity_pipeline.resources.postgres import open_database


def apply() -> None:
    """Bring both databases up to date, a line a file; whom it waits for goes to stderr."""
    applied = migrate(*_urls(), say=lambda sentence: click.echo(sentence, err=True))
    for migration in applied:
        click.echo(f"applied {migration}")
    click.echo(f"{len(applied)} migrations applied." if applied else "Both databases are up to date.")


def show_plan() -> None:
    """Print the SQL of every pending file and what it would lock; changes nothing."""
    urls = _urls()
    files = plan(*urls)
    for file in files:
        click.echo("\n".join(_lines(file)) + "\n")
    for index in repairs(*urls):
        click.echo(
            f"The index {index} is missing or unfinished, and would be built again while others write."
        )
    click.echo(
        f"{len(files)} migrations would be applied. Nothing was changed."
        if files
        else "Both databases are up to date: there is no file to apply."
    )


def _lines(planned: PlannedFile) -> Iterator[str]:
    yield f"{planned.file.name}: {_manner(planned)}"
    effects = [effect for statement in planned.statements for effect in statement.effects]
    yield from (f"  * {effect}" for effect in effects)
    if not effects:
        yield "  * no table that is there is locked"
    yield from (f"      {line}".rstrip() for line in planned.file.sql.splitlines())


def _manner(planned: PlannedFile) -> str:
    if planned.file.concurrent_index:
        return "an index, built while others read and write; an unfinished one is built again"
    if not planned.file.in_one_transaction:
        return "in batches, each a transaction of its own"
    timeout = re.search(r"lock_timeout = '(\w+)'", planned.file.sql)
    gives_way = f"; gives way after {timeout[1]} without a lock, and is tried again" if timeout else ""
    return f"one transaction, locks held to its end{gives_way}"


def _urls() -> tuple[str, str]:
    """Both addresses; raises ConfigurationFailure when each names the other database."""
    urls = os.environ["ASSETS_DATABASE_URL"], os.environ["OPERATION_DATABASE_URL"]
    with (
        open_database(urls[0]) as assets_db,
        open_database(urls[1]) as operation_db,
        assets_db.connection() as assets,
        operation_db.connection() as operation,
    ):
        for mistake in swapped(assets, operation):
            raise ConfigurationFailure(f"{mistake} Nothing was changed.")
    return urls
