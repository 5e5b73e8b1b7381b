"""`collect`: look at a batch once, find it if its creation was not confirmed, and settle what it answered.

Every step may be repeated, by this process or by several at once: a row of the ledger is settled once.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from entity_pipeline.core.gemini.batch import (
    BETWEEN_LISTS,
    GIVEN_UP,
    GRACE,
    LOOK_AGAIN,
    OVERDUE,
    BatchEnded,
    BatchOutcome,
    BatchState,
    BatchWaits,
)
from entity_pipeline.core.gemini.batch_answers import Line, Operation, read_lines, read_operation, read_page
from entity_pipeline.core.gemini.ledger import replaced_reason
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.usage import read_figures
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.patience import patiently
from entity_pipeline.resources.gemini.batch_client import BatchClient
from entity_pipeline.resources.gemini.batch_ledger import BatchLedger
from entity_pipeline.resources.gemini.batch_rows import BatchAnswer, BatchRequest, BatchRow
from entity_pipeline.resources.gemini.client import Body, Exchange
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, classify_error, unavailable

_NO_RESULT = {"kind": "no_result", "message": "the batch ended without one readable result under its key"}
_GONE_CODES = (403, 404)  # a file that is gone is "forbidden", because it might be another project's
Lines = Callable[[], Iterator[Line]]


@dataclass(frozen=True)
class BatchCollection:
    """Looks at batches by their names."""

    ledger: BatchLedger
    client: BatchClient

    def collect(self, name: str) -> BatchWaits | BatchEnded:
        """See `core.gemini.access.GeminiBatches.collect`."""
        row = self._row(name)
        if row.state == BatchState.RESERVED and row.lease_until < row.now:
            patiently(self.ledger.give_back)
        elif row.state == BatchState.CREATING:
            self.look_up(name)
        row = self._row(name)
        if row.state == BatchState.SUBMITTED:
            return self._look_at(row)
        return self._ended(row) if row.state == BatchState.ENDED else _waits(row, row.state)

    def look_up(self, name: str) -> None:
        """Find a batch whose creation was not confirmed in Gemini's list, or end it when it is surely not there."""
        matches: list[Operation] = []
        for page in self.client.pages():
            if not isinstance(page, Body):
                return
            found, _ = read_page(page.body)
            matches += [one for one in found if one.display_name == name and one.google_name]
        if not matches:
            self._note_absence(self._row(name))
            return
        first, *twins = sorted(matches, key=lambda one: (one.created_at, one.google_name or ""))
        for twin in twins:
            self.client.cancel(str(twin.google_name))
            patiently(lambda twin=twin: self.ledger.count_twin(name, str(twin.google_name)))  # type: ignore[misc]
        patiently(lambda: self.ledger.mark_submitted(name, str(first.google_name)))

    def cancel(self, name: str) -> None:
        """See `core.gemini.access.GeminiBatches.cancel`."""
        row = self._row(name)
        if row.state == BatchState.CREATING:
            self.look_up(name)
            row = self._row(name)
        if row.state == BatchState.SUBMITTED and isinstance(self.client.cancel(str(row.google_name)), Body):
            patiently(lambda: self.ledger.note_cancel(name))

    def answers(self, name: str) -> Iterator[tuple[str, Answered | NotAnswered]]:
        """See `core.gemini.access.GeminiBatches.answers`."""
        accepted = patiently(lambda: self.ledger.settings(self._row(name).model)).accept_models
        for answer in self.ledger.answers(name):
            yield answer.subject, _outcome(answer, accepted)

    def _look_at(self, row: BatchRow) -> BatchWaits | BatchEnded:
        seen = self.client.get(str(row.google_name))
        if isinstance(seen, GeminiError) and seen.code == 404:
            return self._end(row, BatchOutcome.GONE, {"kind": "gone", "message": seen.message})
        if not isinstance(seen, Body):
            return self._failed_look(row, seen)
        operation = read_operation(seen.body)
        outcome, since = operation.outcome, row.submitted_at or row.created_at
        has_results = operation.results_file or operation.inlined
        if outcome is None or (outcome is BatchOutcome.COLLECTED and not has_results):
            if row.now - since < GIVEN_UP:
                return _waits(row, operation.state)
            self.client.cancel(str(row.google_name))
            return self._end(row, BatchOutcome.GIVEN_UP, {"kind": "given_up", "message": operation.state})
        if operation.results_file:
            with _scratch() as path:
                fetched = self.client.download(operation.results_file, path)
                if isinstance(fetched, GeminiError) and fetched.code in _GONE_CODES:
                    return self._end(row, BatchOutcome.GONE, {"kind": "gone", "message": fetched.message})
                if not isinstance(fetched, Body):
                    return self._failed_look(row, fetched)
                self._settle(row.name, lambda: _lines_of(path))
        elif operation.inlined:
            self._settle(row.name, lambda: read_lines(operation.inlined))
        return self._end(row, outcome, dict(operation.error) or None)

    def _failed_look(self, row: BatchRow, exchange: Exchange) -> BatchWaits:
        if isinstance(exchange, GeminiError) and (failure := unavailable(exchange, row.model)) is not None:
            raise failure
        return _waits(row, "" if isinstance(exchange, Body) else exchange.message)

    def _settle(self, name: str, lines: Lines) -> None:
        """Settle what stands exactly once under the key of a request; foreign and doubled keys answer nothing."""
        times = Counter(line.key for line in lines())
        requests = patiently(lambda: self.ledger.requests(name))
        for line in lines():
            request = requests.get(line.key)
            if request is not None and times[line.key] == 1 and request.state in ("sent", "unknown"):
                patiently(lambda request=request, line=line: self._settle_one(request, line))  # type: ignore[misc]

    def _settle_one(self, request: BatchRequest, line: Line) -> None:
        if line.reply is None:
            self.ledger.fail(request, classify_error(line.code, line.error, grounded=False).as_record())
            return
        expected = MODELS.get(request.billed_model or request.model, MODELS[request.model])
        figures = read_figures(line.reply, request, expected, request.quota_day, in_batch=True)
        self.ledger.settle(request, line.reply, figures)

    def _end(self, row: BatchRow, outcome: BatchOutcome, said: dict[str, Any] | None) -> BatchEnded:
        """End the batch. Of a failed one nothing was answered; what else has no result may have cost its most."""
        rest = "failed" if outcome is BatchOutcome.FAILED else "unknown"
        patiently(lambda: self.ledger.end(row.name, outcome, rest, said or _NO_RESULT))
        return self._ended(self._row(row.name))

    def _note_absence(self, row: BatchRow) -> None:
        if row.state != BatchState.CREATING or row.creating_at is None or row.now - row.creating_at < GRACE:
            return
        if row.absent_since is None or row.now - row.absent_since < BETWEEN_LISTS:
            patiently(lambda: self.ledger.note_absent(row.name))
            return
        said = {"kind": "absent", "message": "its creation was not confirmed and two full lists lack it"}
        patiently(
            lambda: self.ledger.end(row.name, BatchOutcome.ABSENT, "released", said, [BatchState.CREATING])
        )

    def _ended(self, row: BatchRow) -> BatchEnded:
        counts = patiently(lambda: self.ledger.counts(row.name))
        return BatchEnded(row.name, BatchOutcome(row.outcome or BatchOutcome.GONE), counts)

    def _row(self, name: str) -> BatchRow:
        row = patiently(lambda: self.ledger.row(name))
        if row is None:
            raise ValueError(f"there is no batch named {name}")
        return row


def _outcome(answer: BatchAnswer, accepted: list[str]) -> Answered | NotAnswered:
    error = json_object(answer.error)
    message = str(error.get("message") or "")
    match answer.state:
        case "settled" if answer.billed_model is not None and answer.billed_model not in accepted:
            replaced = replaced_reason(answer.model, answer.billed_model)
            return NotAnswered(Unanswered.MODEL_REPLACED, replaced)
        case "settled" if answer.reply is not None:
            reply = StoredReply(answer.id, answer.reply, answer.model_version, answer.input_hash)
            return Answered(reply, replayed=False)
        case "settled":
            return NotAnswered(Unanswered.NOT_STORED, because("not_stored"))
        case "failed" if error.get("kind") not in tuple(ErrorKind):
            # What is said of the whole batch has a code of google.rpc, or none.
            return NotAnswered(Unanswered.OVERLOADED, because("batch_without_answer", message=message))
        case "failed":
            said = {name: error.get(name, "") for name in ("code", "status", "message")}
            is_final = error.get("kind") in (ErrorKind.REFUSED, ErrorKind.MISCONFIGURED)
            return NotAnswered(
                Unanswered.REFUSED if is_final else Unanswered.OVERLOADED, because("http_error", **said)
            )
        case "released":
            return NotAnswered(Unanswered.UNREACHABLE, because("batch_not_sent", message=message))
        case "unknown":
            return NotAnswered(Unanswered.NO_REPLY, because("no_reply", message=message))
        case _:
            return NotAnswered(Unanswered.IN_FLIGHT, because("batch_under_way"))


def _waits(row: BatchRow, said: str) -> BatchWaits:
    since: datetime = row.submitted_at or row.creating_at or row.created_at
    return BatchWaits(
        row.name, BatchState(row.state), said, since, row.now - since >= OVERDUE, row.now + LOOK_AGAIN
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-batch-") as folder:
        yield Path(folder) / "results.jsonl"


def _lines_of(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from read_lines(file)
