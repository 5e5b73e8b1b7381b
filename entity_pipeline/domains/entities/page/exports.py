"""The list as a file: CSV for spreadsheets, or one JSON array, in batches."""

from collections.abc import Iterator
from decimal import Decimal

from entity_pipeline.admin.ledger_rows import subject_costs
from entity_pipeline.core.ports import Database
from entity_pipeline.core.text.csv_cells import BYTE_ORDER_MARK, cell_of, csv_bytes
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.accounts.queries.queue import Place, queue_entries
from entity_pipeline.domains.entities.page.queue import filter_of, rows_of
from entity_pipeline.domains.entities.page.queue_cursor import read_key
from entity_pipeline.domains.entities.page.queue_values import ExportRow, QueueQuery, QueueRow
from entity_pipeline.domains.entities.reviews.question import STEP

EXPORT_BATCH = 1_000
NOTHING_USD = Decimal(0)


def export_rows(assets_db: Database, operation_db: Database, query: QueueQuery) -> Iterator[list[ExportRow]]:
    """All rows of the query in batches; connections are held only while a batch is read."""
    wanted, place = filter_of(query), None
    while True:
        with assets_db.connection() as assets:
            entries = queue_entries(assets, wanted, query.sort.value, place, EXPORT_BATCH)
        with operation_db.connection() as operation:
            rows = rows_of(operation, entries)
        yield _with_costs(assets_db, rows)
        if len(entries) < EXPORT_BATCH:
            return
        place = Place(read_key(query, entries[-1].key))


def _with_costs(assets_db: Database, rows: list[QueueRow]) -> list[ExportRow]:
    handles = {row.id: handle_or_none(row.username) for row in rows}
    costs = subject_costs(assets_db, STEP, [handle for handle in handles.values() if handle])
    return [
        ExportRow(
            **row.model_dump(),
            handle=(handle := handles[row.id]),
            address=f"https://www.instagram.com/{handle}/" if handle else None,
            cost_usd=costs.get(handle, NOTHING_USD) if handle else NOTHING_USD,
        )
        for row in rows
    ]


def csv_chunks(batches: Iterator[list[ExportRow]], *, for_spreadsheets: bool = True) -> Iterator[bytes]:
    """The rows as CSV in UTF-8; the header line comes first, for spreadsheets after a byte order mark."""
    head = (BYTE_ORDER_MARK if for_spreadsheets else b"") + csv_bytes([list(ExportRow.model_fields)])
    for rows in batches:
        yield head + csv_bytes(
            [[cell_of(value) for value in row.model_dump(mode="json").values()] for row in rows]
        )
        head = b""


def json_chunks(batches: Iterator[list[ExportRow]]) -> Iterator[bytes]:
    """The rows as one JSON array."""
    separator = b"[\n"
    for rows in batches:
        for row in rows:
            yield separator + row.model_dump_json().encode()
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"
