"""An export as a response of the server. The content of the file belongs to `exports.py`."""

from collections.abc import Iterator

from fastapi.responses import StreamingResponse

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.page.exports import csv_chunks, export_rows, json_chunks
from entity_pipeline.domains.entities.page.queue_values import QueueQuery


def download(assets_db: Database, operation_db: Database, query: QueueQuery, form: str) -> StreamingResponse:
    """The export as ``csv`` or ``json``. The first batch is read here, so that a failure can still be answered."""
    rows = export_rows(assets_db, operation_db, query)
    chunks = csv_chunks(rows) if form == "csv" else json_chunks(rows)
    first = next(chunks, b"")

    def whole() -> Iterator[bytes]:
        yield first
        yield from chunks

    return StreamingResponse(
        whole(),
        media_type="text/csv; charset=utf-8" if form == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="accounts.{form}"'},
    )
