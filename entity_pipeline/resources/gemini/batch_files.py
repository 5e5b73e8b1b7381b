"""The input files of batches at Google. Each has the name of its batch as its display name, and lives for 48 hours."""

from collections.abc import Callable, Sequence

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.gemini.batch import DeletedInputs
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.core.patience import patiently
from entity_pipeline.resources.gemini.batch_client import BatchClient
from entity_pipeline.resources.gemini.batch_ledger import BatchLedger
from entity_pipeline.resources.gemini.client import Body, Exchange
from entity_pipeline.resources.gemini.errors import GeminiError, unavailable

# Another process may have deleted the file, or its time is over; a file of another project looks the same.
_GONE_CODES = (403, 404)


def delete_inputs(
    ledger: BatchLedger,
    connected: Callable[[], BatchClient],
    step: Step,
    subjects: Sequence[str],
    model: str,
) -> DeletedInputs:
    """See `core.gemini.access.GeminiBatches.delete_inputs`. Connects only if there is something to delete."""
    batches = patiently(lambda: ledger.batches_about(step, subjects))
    under_way = [name for name, is_open in batches if is_open]
    ended = {name for name, is_open in batches if not is_open}
    if not ended:
        return DeletedInputs(0, under_way)
    client = connected()
    files = [name for name, shown in _files(client, model) if shown in ended]
    for name in files:
        exchange = client.delete_file(name)
        if isinstance(exchange, GeminiError) and exchange.code in _GONE_CODES:
            continue
        _body(exchange, model)
    return DeletedInputs(len(files), under_way)


def _files(client: BatchClient, model: str) -> list[tuple[str, str]]:
    found = []
    for exchange in client.file_pages():
        for item in _body(exchange, model).body.get("files") or ():
            file = json_object(item)
            name, display_name = json_text(file.get("name")), json_text(file.get("displayName"))
            if name and display_name:
                found.append((name, display_name))
    return found


def _body(exchange: Exchange, model: str) -> Body:
    if isinstance(exchange, Body):
        return exchange
    if isinstance(exchange, GeminiError) and (failure := unavailable(exchange, model)) is not None:
        raise failure
    raise TransientFailure(
        f"Files at Gemini could not be listed or deleted ({exchange.message}): try again later."
    )
