"""The list as a file: CSV for spreadsheets, or one JSON array, in batches."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.queries.queue import Place, queue_entries
from entity_pipeline.domains.entities.page.queue import filter_of, rows_of
from entity_pipeline.domains.entities.page.queue_cursor import read_key
from entity_pipeline.domains.entities.page.queue_values import QueueQuery, QueueRow

EXPORT_BATCH = 1_000
# A spreadsheet executes a cell that begins with one of these.
_FORMULA = ("=", "+", "-", "@", "|", "＝", "＋", "－", "＠")


def export_rows(assets_db: Database, operation_db: Database, query: QueueQuery) -> Iterator[list[QueueRow]]:
    """All rows of the query in batches; connections are held only while a batch is read."""
    wanted, place = filter_of(query), None
    while True:
        with assets_db.connection() as assets:
            entries = queue_entries(assets, wanted, query.sort.value, place, EXPORT_BATCH)
        with operation_db.connection() as operation:
            rows = rows_of(operation, entries)
        yield rows
        if len(entries) < EXPORT_BATCH:
            return
        place = Place(read_key(query, entries[-1].key))


def csv_chunks(batches: Iterator[list[QueueRow]]) -> Iterator[bytes]:
    """The rows as CSV in UTF-8 with a byte order mark, for spreadsheets; the header line comes first."""
    head = "\ufeff".encode() + _csv([list(QueueRow.model_fields)])
    for rows in batches:
        yield head + _csv([[_cell(value) for value in row.model_dump(mode="json").values()] for row in rows])
        head = b""


def json_chunks(batches: Iterator[list[QueueRow]]) -> Iterator[bytes]:
    """The rows as one JSON array."""
    separator = b"[\n"
    for rows in batches:
        for row in rows:
            yield separator + row.model_dump_json().encode()
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """The value for CSV: an apostrophe turns a text that a spreadsheet would execute as a formula into plain text."""
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.lstrip().startswith(_FORMULA) else text
