"""Batches in the ledger: reserved as a whole under its lock, each request settled on its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.core.gemini.batch import (
    LEASE,
    LOOK_AGAIN,
    BatchOutcome,
    BatchState,
    Standing,
    admit_batch,
    submission_opens_at,
)
from entity_pipeline.core.gemini.call import Call, EventId, Step
from entity_pipeline.core.gemini.ledger import Admitted, Refused
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.outcomes import StoredReply, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import ReplyFigures
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini import batch_sql
from entity_pipeline.resources.gemini.batch_rows import BatchAnswer, BatchRequest, BatchRow, ReservedBatch
from entity_pipeline.resources.gemini.ledger import settled_values
from entity_pipeline.resources.gemini.ledger_sql import BEGIN, FAILED, FINISH, REPLY, SETTLE, STATUS, VIEW
from entity_pipeline.resources.gemini.ledger_view import later, read_view, transaction, view_values

T = TypeVar("T")

_PAGE = 50


class BatchLedger:
    """Raises `DatabaseUnavailable` when it can't count, and then nothing may be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, calls: Sequence[Call], content: str, name: str, run_id: str) -> ReservedBatch:
        """Find the open batch about these calls, or reserve one of this name for those that may be asked now.

        The name is new: a caller that retries after losing the response gets the batch that it already holds.
        """
        step, asked = calls[0].claim.step, MODELS[calls[0].request.model]
        values = view_values(asked.name, step) | _arrays(calls) | {"run_id": run_id}
        with transaction(self._database) as connection:
            view = read_view(connection, BEGIN + VIEW, values)
            connection.execute(batch_sql.GIVE_BACK)
            standings = _standings(connection, values, view.now)
            decisions = admit_batch(view, calls, asked, standings)
            found = connection.execute(batch_sql.OPEN_ABOUT, [content]).fetchone()
            if found is not None:
                places = dict(connection.execute(batch_sql.SUBJECTS, [found[0]]).fetchall())
                return ReservedBatch(
                    found[0],
                    found[0] == name,
                    BatchState(found[1]),
                    found[2],
                    places,
                    decisions,
                    view.settings,
                )
            admitted = {
                call.claim.subject: (call, decision)
                for call in calls
                if isinstance(decision := decisions[call.claim.subject], Admitted)
            }
            if not admitted:
                return ReservedBatch(None, False, BatchState.ENDED, None, {}, decisions, view.settings)
            refusals = connection.execute(batch_sql.REFUSALS, values).fetchone() or (0, None)
            opens_at = submission_opens_at(*refusals)
            if opens_at is not None and opens_at > view.now:
                wait = Refused(
                    Unanswered.BLOCKED_BY_GOOGLE, because("batches_are_refused", at=opens_at), opens_at
                )
                held = dict(decisions) | dict.fromkeys(admitted, wait)
                return ReservedBatch(None, False, BatchState.ENDED, None, {}, held, view.settings)
            billed = next(iter(admitted.values()))[1].model
            values |= _arrays([call for call, _ in admitted.values()]) | {
                "name": name,
                "content": content,
                "requests": len(admitted),
                "read_at": view.now,
                "quota_day": view.quota_day,
                "lease": LEASE,
                "billed_as": billed.name if billed is not asked else None,
                "costs": [decision.cost_usd for _, decision in admitted.values()],
            }
            connection.execute(batch_sql.ADD_BATCH, values)
            places = dict(connection.execute(batch_sql.ADD_REQUESTS, values).fetchall())
            return ReservedBatch(
                name, True, BatchState.RESERVED, view.now + LEASE, places, decisions, view.settings
            )

    def give_back(self) -> None:
        """End the batches whose process did not send them in time."""
        self._run(batch_sql.GIVE_BACK, None)

    def settings(self, model: str) -> GeminiSettings:
        """The row `gemini`."""
        with self._database.connection() as connection:
            return read_view(connection, STATUS, view_values(model, None)).settings

    def keep_requests(self, requests: Iterable[tuple[EventId, Mapping[str, Any]]]) -> None:
        """Store what will be sent, before it is."""
        for some in _some(requests):
            with self._database.connection() as connection:
                connection.cursor().executemany(
                    batch_sql.KEEP_REQUEST, [(jsonb_text(kept), event_id) for event_id, kept in some]
                )

    def mark_creating(self, name: str) -> bool:
        """From here on Gemini may know the batch. False: it was given back, so nothing may be sent.

        Only the process that reserved the batch may call this; it may repeat the call if the answer was lost.
        """
        return self._one(batch_sql.MARK_CREATING, {"name": name}) is True

    def mark_submitted(self, name: str, google_name: str) -> None:
        """Gemini made the batch, under this name."""
        self._run(batch_sql.MARK_SUBMITTED, {"name": name, "google_name": google_name})

    def note_absent(self, name: str) -> None:
        """A full list lacked the batch, for the first time or again."""
        self._run(batch_sql.NOTE_ABSENT, [name])

    def note_cancel(self, name: str) -> None:
        """Gemini was asked to cancel it."""
        self._run(batch_sql.NOTE_CANCEL, [name])

    def count_twin(self, name: str, twin: str) -> None:
        """Count a second batch of the same name at its greatest cost, once."""
        said = {"kind": "twin", "message": f"{twin} is a second batch named {name}; counted as used"}
        with self._database.connection() as connection, connection.transaction():
            row = connection.execute(batch_sql.COUNT_TWIN, {"name": name, "twin": twin}).fetchone()
            if row is not None:
                connection.execute(batch_sql.CLOSE_TWIN, [jsonb_text(said), row[0]])

    def settle(self, request: BatchRequest, body: Mapping[str, Any], figures: ReplyFigures) -> None:
        """Store the reply and its cost, once: a row that has ended keeps its first reply."""
        self._run(SETTLE, settled_values(request.id, body, figures, figures.cost_usd(0), latency_ms=None))

    def fail(self, request: BatchRequest, error: Mapping[str, Any]) -> None:
        """Record the error of one request, which is free."""
        values = {"error": jsonb_text(error), "latency_ms": None, "blocked_until": None, "id": request.id}
        self._run(FINISH.format(changes=FAILED), values | {"from_states": ["sent", "unknown"]})

    def end(
        self,
        name: str,
        outcome: BatchOutcome,
        rest: str,
        said: Mapping[str, Any],
        from_states: Sequence[BatchState] = (BatchState.CREATING, BatchState.SUBMITTED),
    ) -> None:
        """End the batch, and with it the requests that have no outcome yet, in the state `rest`."""
        values = {
            "name": name,
            "outcome": str(outcome),
            "rest": rest,
            "error": jsonb_text(said),
            "row_error": jsonb_text(said),
            "from_states": list(map(str, from_states)),
        }
        self._run(batch_sql.END_BATCH, values)

    def row(self, name: str) -> BatchRow | None:
        """The batch of this name."""
        with self._database.connection() as connection:
            return (
                connection.cursor(row_factory=class_row(BatchRow)).execute(batch_sql.BATCH, [name]).fetchone()
            )

    def open_batches(self, step: Step) -> list[str]:
        """The names of a step's batches that have not ended, oldest first."""
        with self._database.connection() as connection:
            return [row[0] for row in connection.execute(batch_sql.OPEN_BATCHES, [step.pipeline, step.name])]

    def batches_about(self, step: Step, subjects: Sequence[str]) -> list[tuple[str, bool]]:
        """The batches of the last 48 hours with a request about one of the subjects, and whether each is open."""
        with self._database.connection() as connection:
            values = [step.pipeline, step.name, list(subjects)]
            return [(row[0], row[1]) for row in connection.execute(batch_sql.BATCHES_ABOUT, values)]

    def counts(self, name: str) -> dict[str, int]:
        """The number of its requests by state."""
        with self._database.connection() as connection:
            return dict(connection.execute(batch_sql.COUNTS, [name]).fetchall())

    def requests(self, name: str) -> dict[EventId, BatchRequest]:
        """Its requests by their ids, which are the keys of the file that is sent."""
        with self._database.connection() as connection:
            rows = connection.cursor(row_factory=class_row(BatchRequest)).execute(batch_sql.REQUESTS, [name])
            return {row.id: row for row in rows}

    def answers(self, name: str) -> Iterator[BatchAnswer]:
        """Its requests with their replies, some at a time."""
        for ids in _some(sorted(self.requests(name))):
            with self._database.connection() as connection:
                cursor = connection.cursor(row_factory=class_row(BatchAnswer))
                rows = cursor.execute(batch_sql.ANSWERS, [ids]).fetchall()
            yield from rows

    def _run(self, statement: str, values: Any) -> None:
        with self._database.connection() as connection:
            connection.execute(statement, values)

    def _one(self, statement: str, values: Any) -> Any:
        with self._database.connection() as connection:
            row = connection.execute(statement, values).fetchone()
        return row[0] if row is not None else None


def _some(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, _PAGE)):
        yield some


def _arrays(calls: Sequence[Call]) -> dict[str, Any]:
    return {
        "subjects": [call.claim.subject for call in calls],
        "kinds": [str(call.claim.kind) for call in calls],
        "input_hashes": [call.input_hash for call in calls],
        "config_hashes": [call.config_hash for call in calls],
        "consumed": [call.consumed_event_id for call in calls],
        "prompts": [call.request.most_prompt_tokens for call in calls],
        "outputs": [call.request.most_output_tokens for call in calls],
    }


def _standings(connection: Connection[Any], values: Mapping[str, Any], now: datetime) -> dict[str, Standing]:
    found = {}
    for subject, claimed_at, reply_id in connection.execute(batch_sql.STANDINGS, values).fetchall():
        stored = connection.execute(REPLY, [reply_id]).fetchone() if reply_id is not None else None
        claimed_until = None if claimed_at is None else max(later(claimed_at), now + LOOK_AGAIN)
        found[subject] = Standing(claimed_until, StoredReply(*stored) if stored else None)
    return found
