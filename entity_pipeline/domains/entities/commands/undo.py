"""`undo` and `redo`: revert automatic writes, and come back from that. Both show first what they would do."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from entity_pipeline.cli.confirmation import confirm
from entity_pipeline.cli.services import database
from entity_pipeline.cli.settings import who
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper
from entity_pipeline.domains.entities.links.logic.undo import Location, UndoReport
from entity_pipeline.domains.entities.links.redo import redo
from entity_pipeline.domains.entities.links.undo import undo

_ROWS_SHOWN = 20


def undo_writes(run_id: str | None, account: str | None, *, yes: bool) -> None:
    """Undo one run or one account, and list the values that stay because people changed them since."""
    if _change(partial(undo, run_id=run_id, username=account, actor=who()), "Undo this?", yes=yes):
        option = f"--run {run_id}" if run_id is not None else f"--account {account}"
        click.echo(f"To take this back: entity-pipeline redo {option}")


def redo_writes(run_id: str | None, account: str | None, *, yes: bool) -> None:
    """Take the undo of one run or one account back."""
    _change(partial(redo, run_id=run_id, username=account, actor=who()), "Write this again?", yes=yes)


def _change(work: Callable[..., UndoReport], question: str, *, yes: bool) -> bool:
    """Show the work, ask, and do it. Returns whether anything changed."""
    with (
        database("operation") as operation_db,
        database("assets") as assets_db,
        operation_db.connection() as connection,
    ):
        if not yes:
            with connection.transaction(force_rollback=True):
                planned = work(connection)
            _show(planned)
            if not (planned.restored or planned.removed):
                return False
            confirm(question, yes=yes)
        with QueueKeeper(operation_db, assets_db) as keeper:
            report = work(connection, note=keeper.note)
    if yes:
        _show(report)
    else:
        click.echo("Done.")
    return bool(report.restored or report.removed)


def _show(report: UndoReport) -> None:
    console = Console(soft_wrap=True)
    if report.restored or report.removed:
        removed = f", {_count(len(report.removed), 'entity')} removed" if report.removed else ""
        click.echo(f"{_count(len(report.restored), 'value')} restored{removed}.")
        console.print(_changes(report))
    else:
        click.echo("Nothing is left to restore.")
    if report.kept:
        table = Table("table", "id", "column", "why", title="Left unchanged")
        for item in report.kept:
            table.add_row(item.table, str(item.target_id), item.column or "–", item.why)
        console.print(table)


def _changes(report: UndoReport) -> Table:
    table = Table("table", "name", "what", title="Changed rows", title_justify="left")
    values = Counter((item.table, item.target_id) for item in report.restored if item.column is not None)
    rows: list[tuple[Any, str]] = [
        *(((item.table, item.target_id), "removed") for item in report.removed),
        *((_place(item), "there again") for item in report.restored if item.column is None),
        *((place, f"{_count(count, 'value')} restored") for place, count in values.items()),
    ]
    for place, what in rows[:_ROWS_SHOWN]:
        table.add_row(place[0], report.names.get(place, str(place[1])), what)
    if len(rows) > _ROWS_SHOWN:
        table.add_row("…", f"and {len(rows) - _ROWS_SHOWN:,} more", "")
    return table


def _place(item: Location) -> tuple[str, Any]:
    return item.table, item.target_id


def _count(count: int, what: str) -> str:
    return (
        f"{count:,} {what}"
        if count == 1
        else f"{count:,} {what[:-1]}ies"
        if what[-1] == "y"
        else f"{count:,} {what}s"
    )
