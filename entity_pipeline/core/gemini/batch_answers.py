"""What Gemini says of a batch: its operation, and the lines of its results. Pure, and nothing here raises.

The bodies are read raw, because the SDK's models drop the reason of a failure and raise over one error with details.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.gemini.batch import BatchOutcome
from entity_pipeline.core.jsonb import json_items, json_object, json_text, read_json

_MOST_LISTED = 1_000
_OUTCOMES = {
    "SUCCEEDED": BatchOutcome.COLLECTED,
    "PARTIALLY_SUCCEEDED": BatchOutcome.COLLECTED,
    "FAILED": BatchOutcome.FAILED,
    "CANCELLED": BatchOutcome.CANCELLED,
    "EXPIRED": BatchOutcome.EXPIRED,
}
# Errors of single requests carry codes of google.rpc, those of HTTP answers their own.
_HTTP_OF_RPC = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 400, 6: 409, 7: 400, 8: 503, 9: 400, 10: 409, 11: 400, 12: 400, 13: 500,
    14: 503, 15: 500, 16: 400,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """A batch as Gemini has it. `outcome` is None while it may still change; `state` is without its prefix."""

    google_name: str | None
    display_name: str | None
    created_at: str
    state: str
    outcome: BatchOutcome | None
    results_file: str | None
    inlined: list[Any]
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """The result of one request: a reply, or an error with the HTTP status that means the same."""

    key: str
    reply: Mapping[str, Any] | None
    error: Mapping[str, Any]

    @property
    def code(self) -> int:
        """The status by which the error is judged."""
        code = self.error.get("code")
        return _HTTP_OF_RPC.get(code, code) if type(code) is int else 500


def read_operation(body: object) -> Operation:
    """Read a raw operation; either prefix of the state and either place of the results are accepted."""
    fields = json_object(body)
    metadata = json_object(fields.get("metadata"))
    state = (json_text(metadata.get("state")) or "").removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    outcome = _OUTCOMES.get(state)
    if outcome is None and fields.get("done") is True:
        outcome = BatchOutcome.FAILED if fields.get("error") else BatchOutcome.COLLECTED
    places = [
        json_object(place) for place in (metadata.get("output"), fields.get("response"), metadata.get("dest"))
    ]
    files = (json_text(place.get(name)) for place in places for name in ("responsesFile", "fileName"))
    inlined = (_inlined(place) for place in places)
    return Operation(
        google_name=json_text(fields.get("name")) or json_text(metadata.get("name")),
        display_name=json_text(metadata.get("displayName")),
        created_at=json_text(metadata.get("createTime")) or "",
        state=state or "UNSPECIFIED",
        outcome=outcome,
        results_file=next(filter(None, files), None),
        inlined=next(filter(None, inlined), []),
        error=json_object(fields.get("error")) or json_object(metadata.get("error")),
    )


def read_page(body: object) -> tuple[list[Operation], str | None]:
    """The operations of one page of the list, and the token of the next page."""
    fields = json_object(body)
    found = json_items(fields.get("operations"), _MOST_LISTED)
    return [read_operation(item) for item in found], json_text(fields.get("nextPageToken")) or None


def read_lines(lines: Iterator[bytes] | list[Any]) -> Iterator[Line]:
    """The results that can be read, of a file (lines that end at a line feed alone) or of an operation."""
    for raw in lines:
        try:
            fields = json_object(read_json(raw) if isinstance(raw, bytes) else raw)
        except (ValueError, RecursionError):
            continue
        key = fields.get("key")
        if key is None:
            key = json_object(fields.get("metadata")).get("key")
        reply, error = fields.get("response"), json_object(fields.get("error"))
        if isinstance(key, str) and (isinstance(reply, Mapping) or error):
            yield Line(key, reply if isinstance(reply, Mapping) else None, error)


def _inlined(place: Mapping[str, Any]) -> list[Any]:
    found = place.get("inlinedResponses")
    return json_items(json_object(found).get("inlinedResponses") if isinstance(found, Mapping) else found)
