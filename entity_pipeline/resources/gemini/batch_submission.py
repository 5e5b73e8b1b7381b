"""`submit`: a batch is reserved and named before anything leaves, and Gemini is asked to create it at most once.

What a death at each line leaves behind is in decision 16.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entity_pipeline.core.gemini.batch import BatchOutcome, BatchState, BatchTicket, content_hash, new_name
from entity_pipeline.core.gemini.batch_answers import read_operation
from entity_pipeline.core.gemini.call import Call, EventId
from entity_pipeline.core.gemini.ledger import Refused, Replay
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.patience import patiently
from entity_pipeline.resources.gemini.batch_client import BatchClient
from entity_pipeline.resources.gemini.batch_ledger import BatchLedger
from entity_pipeline.resources.gemini.batch_rows import ReservedBatch
from entity_pipeline.resources.gemini.client import Body, Exchange, Unsent
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, unavailable
from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
from entity_pipeline.resources.gemini.wire_request import wire_request

_FRESH_S = 20  # a process that slept longer between noting and sending must not send any more
_QUOTAS = (
    ErrorKind.QUOTA_MINUTE,
    ErrorKind.QUOTA_UNNAMED,
    ErrorKind.QUOTA_DAY,
    ErrorKind.GROUNDING_EXHAUSTED,
)


@dataclass(frozen=True)
class BatchSubmission:
    """Submits batches of one process."""

    ledger: BatchLedger
    client: BatchClient
    keeper: RequestKeeper

    def submit(self, calls: Sequence[Call], run_id: str) -> BatchTicket | NotAnswered:
        """See `core.gemini.access.GeminiBatches.submit`."""
        content = content_hash(calls)
        name = new_name(calls, content)
        reserved = patiently(lambda: self.ledger.reserve(calls, content, name, run_id))
        if reserved.name is None:
            return _without_batch(reserved)
        if not reserved.is_new and reserved.state is BatchState.RESERVED:
            return NotAnswered(Unanswered.IN_FLIGHT, because("in_flight"), reserved.lease_until)
        if reserved.is_new and (failure := self._send(name, calls, reserved)) is not None:
            return failure
        return _ticket(reserved)

    def _send(self, name: str, calls: Sequence[Call], reserved: ReservedBatch) -> NotAnswered | None:
        """Upload and create. None when Gemini has the batch, or may have it."""
        try:
            uploaded = self._upload(name, calls, reserved)
        except BaseException:
            self._give_back(name, "its requests could not be written")
            raise
        file_name = str(uploaded.body["name"]) if isinstance(uploaded, Body) else None
        if file_name is None:
            self._give_back(name, _words(uploaded))
            return self._failure(uploaded, calls)
        noted_at = time.monotonic()
        if not patiently(lambda: self.ledger.mark_creating(name)) or time.monotonic() - noted_at > _FRESH_S:
            self._give_back(name, "its time was over before it was sent")
            return NotAnswered(Unanswered.OVERLOADED, because("ledger_too_slow"))
        created = self.client.create(calls[0].request.model, file_name, name)
        if isinstance(created, Body) and (google_name := read_operation(created.body).google_name):
            patiently(lambda: self.ledger.mark_submitted(name, google_name))
            return None
        if isinstance(created, Unsent):
            self._give_back(name, created.message)
            return self._failure(created, calls)
        if isinstance(created, GeminiError) and 400 <= created.code < 500 and created.code != 408:
            said = created.as_record()
            patiently(lambda: self.ledger.end(name, BatchOutcome.REFUSED, "failed", said))
            return self._failure(created, calls)
        return None  # `collect` finds it by its name

    def _upload(self, name: str, calls: Sequence[Call], reserved: ReservedBatch) -> Exchange:
        by_subject = {call.claim.subject: call for call in calls}
        asked = [(event_id, by_subject[subject]) for subject, event_id in reserved.places.items()]
        how = reserved.settings.keep_requests
        patiently(
            lambda: self.ledger.keep_requests(
                (event_id, self.keeper.kept(call.request, how)) for event_id, call in asked
            )
        )
        with tempfile.TemporaryDirectory(prefix="entity-pipeline-batch-") as folder:
            path = Path(folder) / "requests.jsonl"
            with path.open("wb") as file:
                for line in _lines(asked):
                    file.write(line)
            return self.client.upload(path, name)

    def _give_back(self, name: str, why: str) -> None:
        """No batch of this name was or will be created."""
        said = {"kind": "unsent", "message": why}
        states = (BatchState.RESERVED, BatchState.CREATING)
        patiently(lambda: self.ledger.end(name, BatchOutcome.UNSENT, "released", said, states))

    def _failure(self, exchange: Exchange, calls: Sequence[Call]) -> NotAnswered:
        if not isinstance(exchange, GeminiError):
            return NotAnswered(Unanswered.UNREACHABLE, because("unreachable", message=_words(exchange)))
        if (failure := unavailable(exchange, calls[0].request.model)) is not None:
            raise failure
        said = {"code": exchange.code, "status": exchange.status, "message": exchange.message}
        if exchange.kind in _QUOTAS:
            return NotAnswered(Unanswered.BLOCKED_BY_GOOGLE, because("quota_of_google", **said))
        why = Unanswered.REFUSED if exchange.kind is ErrorKind.REFUSED else Unanswered.OVERLOADED
        return NotAnswered(why, because("http_error", **said))


def _lines(asked: Sequence[tuple[EventId, Call]]) -> Iterator[bytes]:
    """The file, a request a line under the id of its row. UTF-8, because escapes would treble its size."""
    for event_id, call in asked:
        line: Mapping[str, Any] = {"key": event_id, "request": wire_request(call.request)}
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def _ticket(reserved: ReservedBatch) -> BatchTicket:
    replayed, left_out = {}, {}
    for subject, decision in reserved.decisions.items():
        if subject in reserved.places:
            continue
        if isinstance(decision, Replay):
            replayed[subject] = Answered(decision.reply, replayed=True)
        elif isinstance(decision, Refused):
            left_out[subject] = NotAnswered(decision.why, decision.reason, decision.retry_at)
        else:
            left_out[subject] = NotAnswered(Unanswered.IN_FLIGHT, because("in_flight"))
    return BatchTicket(reserved.name, frozenset(reserved.places), replayed, left_out)


def _without_batch(reserved: ReservedBatch) -> BatchTicket | NotAnswered:
    ticket = _ticket(reserved)
    return ticket if ticket.replayed else next(iter(ticket.left_out.values()))


def _words(exchange: Exchange) -> str:
    return "" if isinstance(exchange, Body) else exchange.message
