"""`import-posts`: posts from files into `raw_posts`, as the collector would have stored them."""

from pathlib import Path

import click

from entity_pipeline.cli.services import database as named_database
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.tags.queries.post_import import import_posts

_SHOWN = 20


def import_from(path: Path) -> None:
    """Import a folder or file, and list what could not be read.

    Raises:
        InputRejected: there is nothing to import, or nothing could be read.
    """
    with named_database("assets") as database, database.connection() as connection:
        counts = import_posts(connection, path)
    for bad in counts.bad_rows[:_SHOWN]:
        click.echo(f"not imported: {bad}", err=True)
    if len(counts.bad_rows) > _SHOWN:
        click.echo(f"not imported: {len(counts.bad_rows) - _SHOWN} more", err=True)
    click.echo(
        f"{counts.read} posts read: {counts.inserted} new, {counts.updated} updated, {counts.unchanged} unchanged, "
        f"{counts.repeated} repeated; {counts.other_files} other files left out, {len(counts.bad_rows)} bad rows."
    )
    if counts.bad_rows and not counts.read:
        raise InputRejected(f"Nothing in {path} could be imported; the first reason is above.")
