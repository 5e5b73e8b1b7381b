"""`migrate`: report what it did, what it waits for, and with `--plan` what it would do."""

import os
import re
from collections.abc import Iterator

import click

from entity_pipeline import migrations
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations.history import HISTORY_TABLE, SUPABASE_TABLE
from entity_pipeline.migrations.plan import PlannedFile, PlannedHistory, histories, plan, repairs
from entity_pipeline.resources.installation_check import swapped
from entity_pipeline.resources.postgres import libpq_url, open_database


@click.command()
@click.option("--plan", "is_plan", is_flag=True, help="Only show the SQL, and what it would lock.")
@click.option(
    "--remove-foreign-history",
    "is_removing",
    is_flag=True,
    help="Afterwards remove former releases' records from Supabase's own history, so that `supabase db push` works.",
)
@with_databases
def migrate(is_plan: bool, is_removing: bool) -> None:
    """Bring the schema of both databases up to date. Safe to run again, and while others write."""
    if is_plan:
        show_plan(is_removing=is_removing)
    else:
        apply(is_removing=is_removing)


def apply(*, is_removing: bool) -> None:
    """Bring both databases up to date and print one line per file; waits and copies are reported on stderr.

    Args:
        is_removing: afterwards remove the records of former releases from Supabase's own history.
    """
    urls = _urls()
    applied = migrations.migrate(*urls, say=_say)
    for migration in applied:
        click.echo(f"applied {migration}")
    click.echo(f"{len(applied)} migrations applied." if applied else "Both databases are up to date.")
    if is_removing:
        for database, versions in migrations.remove_foreign_history(*urls, say=_say).items():
            click.echo(f"removed {len(versions)} versions from {SUPABASE_TABLE} of {database}")


def show_plan(*, is_removing: bool) -> None:
    """Print the SQL of every pending file, what it would lock, and what happens to older histories."""
    urls = _urls()
    files = plan(*urls)
    for history in histories(*urls):
        for line in _history_lines(history, is_removing=is_removing):
            click.echo(line)
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


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _history_lines(history: PlannedHistory, *, is_removing: bool) -> Iterator[str]:
    for table, versions in history.copied.items():
        yield (
            f"{history.database}: {len(versions)} versions that a former release recorded in {table} would be copied "
            f"to {HISTORY_TABLE}, and not applied again: {', '.join(versions)}"
        )
    if not history.foreign:
        return
    if is_removing:
        yield (
            f"{history.database}: {len(history.foreign)} versions would be removed from {SUPABASE_TABLE}, which would "
            f"then refuse them: {', '.join(history.foreign)}"
        )
    else:
        yield (
            f"{history.database}: {len(history.foreign)} versions of ours stay in {SUPABASE_TABLE}, where they make "
            "`supabase db push` refuse; `entity-pipeline migrate --remove-foreign-history` removes them."
        )


def _lines(planned: PlannedFile) -> Iterator[str]:
    yield f"{planned.file.name}: {_manner(planned)}"
    effects = [effect for statement in planned.statements for effect in statement.effects]
    yield from (f"  * {effect}" for effect in effects)
    if not effects:
        yield "  * no existing table is locked"
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
    """Both addresses; raises ConfigurationFailure if they are swapped."""
    urls = libpq_url(os.environ["ASSETS_DATABASE_URL"]), libpq_url(os.environ["OPERATION_DATABASE_URL"])
    with (
        open_database(urls[0]) as assets_db,
        open_database(urls[1]) as operation_db,
        assets_db.connection() as assets,
        operation_db.connection() as operation,
    ):
        for mistake in swapped(assets, operation):
            raise ConfigurationFailure(f"{mistake} Nothing was changed.")
    return urls
