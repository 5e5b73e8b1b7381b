"""Batches behind the port `core.gemini.access.GeminiBatches`, with outcomes by subject and no ledger.

It keeps the promises that callers rely on: the same calls submitted again while their batch is open are that batch, a
subject in an open batch is left out, a paid answer that the caller has not consumed is replayed, and collecting and
reading may be repeated.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from entity_pipeline.core.gemini.batch import (
    BatchEnded,
    BatchOutcome,
    BatchState,
    BatchTicket,
    BatchWaits,
    DeletedInputs,
    content_hash,
)
from entity_pipeline.core.gemini.call import Call, Step
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline_tests.fakes.gemini import event_id

Outcome = Mapping[str, Any] | NotAnswered | None
"""A raw body, why there is none, or None: the batch has no row about the subject."""


@dataclass
class _Batch:
    name: str
    content: str
    calls: dict[str, Call]
    looks: int = 0
    ended: BatchOutcome | None = None
    answers: dict[str, Answered | NotAnswered] = field(default_factory=dict)


class FakeGeminiBatches:
    """`outcomes` of a subject are used up in order; one answer too many is an error of the test.

    A batch ends at the look number `looks`, or when it was cancelled, and is then `ends_as`; at `overdue_from` looks it
    is overdue. `refuses` are returned by `submit` in order (None lets one through), `left_out` by subject for ever.
    `submitted` holds the calls of each batch, `cancelled` the names in order, `deleted` those whose input is gone.
    """

    def __init__(
        self,
        outcomes: Mapping[str, Sequence[Outcome]] | None = None,
        *,
        looks: int = 1,
        overdue_from: int = 1_000,
        ends_as: BatchOutcome = BatchOutcome.COLLECTED,
        refuses: Sequence[NotAnswered | Exception | None] = (),
        left_out: Mapping[str, NotAnswered] | None = None,
    ) -> None:
        self._outcomes = {subject: list(some) for subject, some in (outcomes or {}).items()}
        self._looks, self._overdue_from, self._ends_as = looks, overdue_from, ends_as
        self._refuses = list(refuses)
        self._left_out = left_out or {}
        self._batches: dict[str, _Batch] = {}
        self._paid: dict[str, list[tuple[str, Answered]]] = {}
        self._cancelled: set[str] = set()
        self.submitted: list[list[Call]] = []
        self.cancelled: list[str] = []
        self.deleted: list[str] = []

    def submit(self, calls: Sequence[Call], *, run_id: str) -> BatchTicket | NotAnswered:
        refusal = self._refuses.pop(0) if self._refuses else None
        if isinstance(refusal, Exception):
            raise refusal
        if refusal is not None:
            return refusal
        content = content_hash(calls)
        found = next((one for one in self._open() if one.content == content), None)
        replayed: dict[str, Answered] = {}
        left_out: dict[str, NotAnswered] = {}
        admitted: dict[str, Call] = {}
        for call in calls:
            subject = call.claim.subject
            if found is not None and subject in found.calls:
                continue
            if any(subject in one.calls for one in self._open()):
                left_out[subject] = NotAnswered(Unanswered.IN_FLIGHT, because("in_flight"))
            elif (paid := self._unused(call)) is not None:
                replayed[subject] = replace(paid, replayed=True)
            elif subject in self._left_out:
                left_out[subject] = self._left_out[subject]
            else:
                admitted[subject] = call
        if found is None and admitted:
            found = _Batch(f"batch-{len(self._batches) + 1}", content, admitted)
            self._batches[found.name] = found
            self.submitted.append(list(admitted.values()))
        if found is None and not replayed:
            return next(iter(left_out.values()))
        subjects = frozenset(found.calls) if found is not None else frozenset()
        return BatchTicket(found.name if found is not None else None, subjects, replayed, left_out)

    def collect(self, name: str) -> BatchWaits | BatchEnded:
        batch = self._named(name)
        if batch.ended is None:
            batch.looks += 1
            if batch.looks <= self._looks and name not in self._cancelled:
                now = datetime.now(UTC)
                is_overdue = batch.looks >= self._overdue_from
                since = now - timedelta(hours=27 if is_overdue else 1)
                return BatchWaits(
                    name, BatchState.SUBMITTED, "RUNNING", since, is_overdue, now + timedelta(minutes=15)
                )
            self._end(batch)
        assert batch.ended is not None
        states = Counter(
            "settled" if isinstance(one, Answered) else "unknown" for one in batch.answers.values()
        )
        return BatchEnded(name, batch.ended, states)

    def cancel(self, name: str) -> None:
        self._named(name)
        self._cancelled.add(name)
        self.cancelled.append(name)

    def answers(self, name: str) -> Iterator[tuple[str, Answered | NotAnswered]]:
        yield from self._named(name).answers.items()

    def delete_inputs(self, step: Step, subjects: Sequence[str]) -> DeletedInputs:
        about = [one for one in self._batches.values() if set(one.calls) & set(subjects)]
        found = [one.name for one in about if one.ended is not None and one.name not in self.deleted]
        self.deleted += found
        return DeletedInputs(len(found), [one.name for one in about if one.ended is None])

    def open_batches(self, step: Step) -> Sequence[str]:
        return [
            one.name for one in self._open() if all(call.claim.step == step for call in one.calls.values())
        ]

    def _end(self, batch: _Batch) -> None:
        batch.ended = BatchOutcome.CANCELLED if batch.name in self._cancelled else self._ends_as
        for subject, call in batch.calls.items():
            if batch.ended is not BatchOutcome.COLLECTED:
                batch.answers[subject] = NotAnswered(
                    Unanswered.NO_REPLY, because("no_reply", message="ended")
                )
                continue
            left = self._outcomes.get(subject)
            if not left:
                raise AssertionError(f"{subject} was asked for once too often")
            outcome = left.pop(0)
            if isinstance(outcome, NotAnswered):
                batch.answers[subject] = outcome
            elif outcome is not None:
                paid = self._paid.setdefault(subject, [])
                reply = StoredReply(
                    event_id(subject, len(paid) + 1), outcome, call.request.model, call.input_hash
                )
                batch.answers[subject] = Answered(reply, replayed=False)
                paid.append((call.config_hash, Answered(reply, replayed=False)))

    def _unused(self, call: Call) -> Answered | None:
        """The newest paid answer to the same question that is newer than the consumed one."""
        paid = self._paid.get(call.claim.subject, [])
        ids = [answer.reply.event_id for _, answer in paid]
        newer = paid[ids.index(call.consumed_event_id) + 1 :] if call.consumed_event_id in ids else paid
        return next((answer for config, answer in reversed(newer) if config == call.config_hash), None)

    def _open(self) -> list[_Batch]:
        return [one for one in self._batches.values() if one.ended is None]

    def _named(self, name: str) -> _Batch:
        if name not in self._batches:
            raise ValueError(f"there is no batch named {name}")
        return self._batches[name]
