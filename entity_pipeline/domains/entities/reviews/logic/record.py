"""The value of `metadata.entity_enrichment.gemini_review`: one type, which reads and writes itself.

Reading never loses stored values: those of a later release or of a person are kept unchanged. A failed call never
erases an earlier finished review either: the record stays ``reviewed``, and `error` says how the attempt to renew it
failed. Whether an account waits for a review is decided in `accounts/logic/standing`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from entity_pipeline.core.clock import read_utc, utc_text, whole_second
from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.domains.entities.models import Grounding, Verdict
from entity_pipeline.domains.entities.reviews.logic.calibration import Calibrated
from entity_pipeline.domains.entities.reviews.logic.finished_review import FinishedReview
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewCall, ReviewInputs

MAX_ATTEMPTS = 3


class ReviewStatus(StrEnum):
    """The state of an account's review. A deferred one stays open until MAX_ATTEMPTS were made."""

    PENDING = "pending"
    REVIEWED = "reviewed"
    FAILED = "failed"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class ReviewError:
    """Why there is no review; `detail` is a sentence without secrets."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """The stored record of an account's review.

    `finished` is set if `status` is ``reviewed``. `failed_event_id` is the paid reply of a renewal that failed.
    `answered_at` is when the last answer was written, usable or not: a refresh that goes on skips what it has asked.
    `unread` holds the entries that were stored in a form that the other fields do not reproduce.
    """

    status: ReviewStatus
    attempts: int = 0
    call: ReviewCall | None = None
    finished: FinishedReview | None = None
    next_attempt_at: datetime | None = None
    error: ReviewError | None = None
    failed_event_id: EventId | None = None
    run_id: str | None = None
    answered_at: datetime | None = None
    unread: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: object) -> "ReviewRecord | None":
        """The record stored by any release; None if it is not an object. Never raises."""
        if not isinstance(value, Mapping):
            return None
        stored, error = json_text(value.get("status")), json_object(value.get("error"))
        status = next((known for known in ReviewStatus if known == stored), ReviewStatus.PENDING)
        attempts = value.get("attempts")
        record = cls(
            status=status,
            attempts=attempts if type(attempts) is int and attempts > 0 else 0,
            call=ReviewCall.from_json(value),
            finished=FinishedReview.from_json(value) if status is ReviewStatus.REVIEWED else None,
            next_attempt_at=read_utc(value.get("next_attempt_at")),
            error=ReviewError(json_text(error.get("reason")) or "", json_text(error.get("detail")) or "")
            if error
            else None,
            failed_event_id=json_text(value.get("failed_event_id")),
            run_id=json_text(value.get("run_id")),
            answered_at=read_utc(value.get("answered_at")),
        )
        own = record.to_json()
        unread = {key: item for key, item in value.items() if key not in own or not _same(own[key], item)}
        return replace(record, unread=unread)

    def to_json(self) -> dict[str, Any]:
        """The JSON to store: ``to_json(from_json(x))`` has every entry of x."""
        record: dict[str, Any] = {
            "status": self.status.value,
            **(asdict(self.call) if self.call else {}),
            **(self.finished.to_json() if self.finished else {}),
            "attempts": self.attempts,
            "next_attempt_at": self.next_attempt_at and utc_text(self.next_attempt_at),
            "error": self.error and {"reason": self.error.reason, "detail": self.error.detail},
        }
        for name in ("failed_event_id", "run_id"):
            if getattr(self, name) is not None:
                record[name] = getattr(self, name)
        if self.answered_at is not None:  # not rounded: compared with the moment at which a refresh began
            record["answered_at"] = self.answered_at.isoformat()
        return record | dict(self.unread)

    @property
    def is_final(self) -> bool:
        """Whether nothing is left to do for this account."""
        return self.status in (ReviewStatus.REVIEWED, ReviewStatus.FAILED)

    @property
    def verdict(self) -> Verdict | None:
        """The input of the decision; None without a finished review, or if a value can't be read."""
        found = self.finished
        if found is None or found.review is None or found.confidence is None:
            return None
        naming = [item for item in found.evidence if item.names_account]
        return Verdict(
            review=found.review,
            confidence=found.confidence,
            grounded=found.grounded,
            chunks=found.chunks,
            supported=bool(naming),
            claims=tuple(item.claim for item in naming),
            sources=tuple(item.title for item in found.evidence if item.title),
            handle_tie=found.handle_tie,
        )

    def of_run(self, run_id: str) -> "ReviewRecord":
        """The same record, written by this run."""
        return self._with(run_id=run_id)

    def answered(self, at: datetime) -> "ReviewRecord":
        """The same record, of an answer written at the aware instant `at`."""
        return self._with(answered_at=at.astimezone(UTC))

    def stale_reasons(self, current: ReviewInputs) -> tuple[str, ...]:
        """Why a final review would be made from other inputs today: prompt, schema, model, or else ``profile``.

        Empty if it is up to date or not final. ``profile`` also stands for changed generation settings.
        """
        if not self.is_final:
            return ()
        call = self.call or ReviewCall()
        changed = tuple(
            name
            for name, key in (("prompt", "prompt_version"), ("schema", "schema_version"), ("model", "model"))
            if getattr(call, key) != getattr(current, key)
        )
        return changed or (("profile",) if call.input_hash != current.input_hash else ())

    def renewal_failed(self, error: ReviewError, event_id: EventId | None) -> "ReviewRecord":
        """The same finished review; `event_id` is the paid reply that could not renew it."""
        if event_id is None:
            return self._with(error=error)
        return self._with(error=error, failed_event_id=event_id)

    def _with(self, **changes: Any) -> "ReviewRecord":
        unread = {key: item for key, item in self.unread.items() if key not in changes}
        return replace(self, unread=unread, **changes)


def reviewed_record(
    parsed: ParsedReply,
    grounding: Grounding,
    scores: Calibrated,
    call: ReviewCall,
    *,
    previous: ReviewRecord | None,
    at: datetime,
) -> ReviewRecord:
    """A finished review, made at the aware instant `at`; `attempts` counts this one."""
    return ReviewRecord(
        status=ReviewStatus.REVIEWED,
        attempts=attempts(previous) + 1,
        call=call,
        finished=FinishedReview(
            review=parsed.review,
            raw_confidence=scores.raw,
            confidence=scores.confidence,
            grounded=grounding.grounded,
            chunks=grounding.chunks,
            evidence=tuple(grounding.evidence),
            search_queries=tuple(grounding.search_queries),
            reviewed_at=whole_second(at),
            notes=tuple(parsed.notes),
            search_entry_point=grounding.search_entry_point,
            handle_tie=grounding.handle_tie,
        ),
    )


def failed_record(error: ReviewError, call: ReviewCall, *, previous: ReviewRecord | None) -> ReviewRecord:
    """The record of a reply without a review, or of a request that will never get one."""
    if previous is not None and previous.status is ReviewStatus.REVIEWED:
        return previous.renewal_failed(error, call.usage_event_id)
    return ReviewRecord(status=ReviewStatus.FAILED, attempts=attempts(previous) + 1, call=call, error=error)


def deferred_record(
    error: ReviewError, *, previous: ReviewRecord | None, next_attempt_at: datetime | None, counts: bool
) -> ReviewRecord:
    """The record without an answer for now. The last attempt that counts makes it failed.

    `counts` is True if a call was made (overload, time-out), False if none was (cap, switched off).
    """
    if previous is not None and previous.status is ReviewStatus.REVIEWED:
        return previous.renewal_failed(error, None)
    is_asked_again = previous is not None and previous.status is ReviewStatus.FAILED
    made = (0 if is_asked_again else attempts(previous)) + counts
    is_last = made >= MAX_ATTEMPTS
    return ReviewRecord(
        status=ReviewStatus.FAILED if is_last else ReviewStatus.DEFERRED,
        attempts=made,
        call=previous.call if previous else None,
        next_attempt_at=None if is_last or next_attempt_at is None else whole_second(next_attempt_at),
        error=error,
    )


def attempts(record: ReviewRecord | None) -> int:
    """Attempts of an unfinished review so far; a finished one starts again at 0 when it is renewed."""
    return 0 if record is None or record.status is ReviewStatus.REVIEWED else record.attempts


def consumed_event_id(record: ReviewRecord | None) -> EventId | None:
    """The newest paid reply that this record has dealt with, whether or not it could be used."""
    if record is None:
        return None
    return record.failed_event_id or (record.call.usage_event_id if record.call else None)


def _same(own: object, stored: object) -> bool:
    """In JSON true is not 1, although Python says so."""
    return own == stored and type(own) is type(stored)
