"""`export`: the administration page's list of accounts as a file, with the same query, columns and escaping.

Batches of rows go out as they are read, so a million accounts take no more memory than a thousand. A file appears
under its name only when it is complete. The list is not a snapshot: an account that moves within the order meanwhile
may be missing or appear twice, as on the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from entity_pipeline.cli.export_file import Form, form_of, opened
from entity_pipeline.cli.services import database as named_database
from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.accounts.queries.queue_rows import read_sweep
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.page.exports import csv_chunks, export_rows
from entity_pipeline.domains.entities.page.queue import LIST_IS_HIDDEN, known_reasons
from entity_pipeline.domains.entities.page.queue_values import NONE, ExportRow, QueueQuery, QueueSort


def export(file: Path | None, form: Form | None, filters: Mapping[str, Any]) -> None:
    """Write every account of the query to `file`, or to standard output when it is None.

    Raises:
        InputRejected: a filter can't be used, or the file can't be written.
        ConfigurationFailure: the role sees no row of the list.
    """
    query = query_of(filters)
    chosen = form or form_of(file)
    with (
        named_database("assets") as assets_db,
        named_database("operation") as operation_db,
    ):
        if query.reason is not None:
            _check_reason(assets_db, query.reason)
        counted = _Counted(export_rows(assets_db, operation_db, query))
        first = next(counted)
        if not first:
            _check_seen(assets_db)
        counted.put_back(first)
        with opened(file) as out:
            for chunk in (
                csv_chunks(counted, for_spreadsheets=file is not None)
                if chosen == "csv"
                else jsonl_chunks(counted)
            ):
                out.write(chunk)
    click.echo(f"{counted.rows:,} accounts written{f' to {file}' if file else ''}.", err=True)


def query_of(filters: Mapping[str, Any]) -> QueueQuery:
    """The filters as the page's query. Raises `InputRejected` with a sentence."""
    try:
        return QueueQuery.model_validate(
            {name: value for name, value in filters.items() if value not in (None, ())}
        )
    except ValidationError as error:
        raise InputRejected(
            f"Nothing was exported: {'; '.join(_problem(filters, found['loc']) for found in error.errors())}."
        ) from None


_ALLOWED = {
    "state": [*AccountState],
    "type": [*AccountType, NONE],
    "role": [*AccountRole, NONE],
    "sort": [*QueueSort],
}
_FORMS = {
    "region": "two capital letters such as KR, or none",
    "cohort": "a day written YYYY-MM-DD",
    "reason": "the name of a reason, such as below_threshold",
    "search": "at most 100 characters",
}


def _problem(filters: Mapping[str, Any], where: Sequence[Any]) -> str:
    """What is wrong with a filter, and what it may be."""
    name = str(where[0])
    value = filters[name][where[1]] if len(where) > 1 and isinstance(where[1], int) else filters[name]
    known = _ALLOWED.get(name)
    expected = f"one of {', '.join(known)}" if known else _FORMS.get(name, "another value")
    return f"--{name} is '{value}' and must be {expected}"


def _check_reason(assets_db: Database, reason: str) -> None:
    """Refuse a reason that no rule gives and no account has; the list has reasons of older rules too."""
    with assets_db.connection() as connection:
        known = known_reasons(connection)
    if reason not in known:
        near = get_close_matches(reason, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise InputRejected(f"Nothing was exported: no account is held or failed for '{reason}'{hint}")


def jsonl_chunks(batches: Iterator[list[ExportRow]]) -> Iterator[bytes]:
    """The rows as JSON, one per line, in UTF-8."""
    for rows in batches:
        yield b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


class _Counted(Iterator[list[ExportRow]]):
    """Batches of rows, with a count of the rows taken so far."""

    def __init__(self, batches: Iterator[list[ExportRow]]) -> None:
        self._batches = batches
        self._returned: list[list[ExportRow]] = []
        self.rows = 0

    def __next__(self) -> list[ExportRow]:
        rows = self._returned.pop() if self._returned else next(self._batches)
        self.rows += len(rows)
        return rows

    def put_back(self, rows: list[ExportRow]) -> None:
        """Return these rows with the next call."""
        self._returned.append(rows)
        self.rows -= len(rows)


def _check_seen(assets_db: Database) -> None:
    with assets_db.connection() as connection:
        if read_sweep(connection) is None:
            raise ConfigurationFailure(LIST_IS_HIDDEN)
