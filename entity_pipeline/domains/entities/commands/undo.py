"""`undo`: revert automatic writes."""

import click
from rich.console import Console
from rich.table import Table

from entity_pipeline.cli.services import database
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper
from entity_pipeline.domains.entities.links.undo import undo


def undo_writes(run_id: str | None, account: str | None) -> None:
    """Undo one run or one account, and list the values that stay because people changed them since."""
    with (
        database("operation") as operation_db,
        database("assets") as assets_db,
        QueueKeeper(operation_db, assets_db) as keeper,
        operation_db.connection() as connection,
    ):
        report = undo(connection, run_id=run_id, username=account, note=keeper.note)
    if report.restored or report.removed:
        values = "value" if len(report.restored) == 1 else "values"
        entities = "entity" if len(report.removed) == 1 else "entities"
        click.echo(
            f"{len(report.restored)} {values} restored, {len(report.removed)} created {entities} removed."
        )
    else:
        click.echo("Nothing is left to restore.")
    if report.kept:
        table = Table("table", "id", "column", "why", title="Left unchanged")
        for item in report.kept:
            table.add_row(item.table, str(item.target_id), item.column or "–", item.why)
        Console(soft_wrap=True).print(table)
