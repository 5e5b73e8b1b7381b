"""The value of `metadata.entity_enrichment.gemini_review`: how it is built and what it says about what to
do next.

Surprising: a call that fails never wipes an earlier finished review. The record stays `reviewed`, and
`error` says what became of the attempt to renew it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.gemini.ledger import EventId
from entity_pipeline.domains.entities.models import Evidence, Grounding, Review, Verdict
from entity_pipeline.domains.entities.reviews.logic.confidence import Calibrated

MAX_ATTEMPTS = 3

_CALL_KEYS = ("model", "model_version", "prompt_version", "schema_version", "input_hash", "usage_event_id")


class ReviewStatus(StrEnum):
    """Where an account's review stands. Failed and deferred stay pending until MAX_ATTEMPTS were made."""

    PENDING = "pending"
    REVIEWED = "reviewed"
    FAILED = "failed"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class ReviewInputs:
    """What a review is made from; equal inputs mean the same review. `model` is the one asked for."""

    model: str
    prompt_version: str
    schema_version: str
    input_hash: str


def reviewed_record(
    review: Review,
    scores: Calibrated,
    grounding: Grounding,
    inputs: ReviewInputs,
    *,
    previous: Mapping[str, Any] | None,
    reviewed_at: datetime,
    model_version: str | None,
    usage_event_id: EventId | None,
    notes: Sequence[str] = (),
    search_entry_point: str | None = None,
) -> dict[str, Any]:
    """A finished review, JSON-able. `reviewed_at` is aware; `attempts` counts this one."""
    record: dict[str, Any] = {
        "status": ReviewStatus.REVIEWED.value,
        "review": {
            **review.model_dump(mode="json"),
            "evidence": [{"claim": item.claim, "chunk": item.chunk} for item in grounding.evidence],
        },
        "raw_confidence": scores.raw,
        "confidence": scores.confidence,
        "grounded": grounding.grounded,
        "chunks": grounding.chunks,
        "evidence": [_evidence(item) for item in grounding.evidence],
        "search_queries": list(grounding.search_queries),
        "model": inputs.model,
        "model_version": model_version,
        "prompt_version": inputs.prompt_version,
        "schema_version": inputs.schema_version,
        "input_hash": inputs.input_hash,
        "usage_event_id": usage_event_id,
        "reviewed_at": _stored(reviewed_at),
        "attempts": attempts(previous) + 1,
        "next_attempt_at": None,
        "error": None,
        "notes": list(notes),
    }
    if search_entry_point is not None:
        record["search_entry_point"] = search_entry_point
    return record


def failed_record(
    inputs: ReviewInputs,
    *,
    previous: Mapping[str, Any] | None,
    reason: str,
    detail: str,
    usage_event_id: EventId | None = None,
    model_version: str | None = None,
) -> dict[str, Any]:
    """A reply that gives no review, or a request that never will get one. `detail` is a sentence without secrets."""
    return _unfinished(
        ReviewStatus.FAILED,
        previous,
        error={"reason": reason, "detail": detail},
        attempts=attempts(previous) + 1,
        next_attempt_at=None,
        call={
            "model": inputs.model,
            "model_version": model_version,
            "prompt_version": inputs.prompt_version,
            "schema_version": inputs.schema_version,
            "input_hash": inputs.input_hash,
            "usage_event_id": usage_event_id,
        },
    )


def deferred_record(
    *,
    previous: Mapping[str, Any] | None,
    reason: str,
    detail: str,
    next_attempt_at: datetime | None,
    counts: bool,
) -> dict[str, Any]:
    """No answer for now. The last attempt that counts makes it failed.

    `counts` is True if a call was made (overload, time-out), False if none was (cap, switched off).
    """
    return _unfinished(
        ReviewStatus.DEFERRED,
        previous,
        error={"reason": reason, "detail": detail},
        attempts=attempts(previous) + counts,
        next_attempt_at=next_attempt_at,
        call={},
    )


def consumed_event_id(record: Mapping[str, Any] | None) -> EventId | None:
    """The newest paid reply that this record has dealt with, whether or not it could be used."""
    for key in ("failed_event_id", "usage_event_id"):
        value = record.get(key) if record is not None else None
        if isinstance(value, str):
            return value
    return None


def attempts(record: Mapping[str, Any] | None) -> int:
    """Attempts of an unfinished review so far; a finished one starts again at 0 when it is renewed."""
    if record is None or record.get("status") == ReviewStatus.REVIEWED:
        return 0
    value = record.get("attempts")
    return value if type(value) is int and value > 0 else 0


def is_final(record: Mapping[str, Any] | None) -> bool:
    """Nothing is left to do for this account. The green of a cohort."""
    return record is not None and record.get("status") in (ReviewStatus.REVIEWED, ReviewStatus.FAILED)


def is_pending(record: Mapping[str, Any] | None, now: datetime) -> bool:
    """Not final, and may be tried now. A `next_attempt_at` that can't be read never holds an account back."""
    if is_final(record):
        return False
    due = _read_time(record.get("next_attempt_at")) if record is not None else None
    return due is None or due <= now


def stale_reasons(record: Mapping[str, Any] | None, current: ReviewInputs) -> tuple[str, ...]:
    """Why a final review would come out of other inputs today: prompt, schema, model, or else ``profile``.

    Empty for one that is up to date or not final. ``profile`` also stands for changed generation settings.
    """
    if record is None or not is_final(record):
        return ()
    changed = tuple(
        name
        for name, key in (("prompt", "prompt_version"), ("schema", "schema_version"), ("model", "model"))
        if record.get(key) != getattr(current, key)
    )
    return changed or (("profile",) if record.get("input_hash") != current.input_hash else ())


def is_stale(record: Mapping[str, Any] | None, current: ReviewInputs) -> bool:
    """Whether `refresh: stale` would do this account again."""
    return bool(stale_reasons(record, current))


def verdict_from_record(record: Mapping[str, Any] | None) -> Verdict | None:
    """What the decision needs of a finished review; None if there is none or any value can't be read."""
    if record is None or record.get("status") != ReviewStatus.REVIEWED:
        return None
    confidence, chunks, evidence = record.get("confidence"), record.get("chunks"), record.get("evidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        return None
    try:
        review = Review.model_validate(record.get("review"))
    except ValidationError:
        return None
    items = [item for item in evidence if isinstance(item, Mapping)] if isinstance(evidence, list) else []
    naming = [item for item in items if item.get("names_account") is True]
    return Verdict(
        review=review,
        confidence=float(confidence),
        grounded=record.get("grounded") is True,
        chunks=chunks if type(chunks) is int and chunks > 0 else 0,
        supported=bool(naming),
        claims=tuple(str(item.get("claim", "")) for item in naming),
    )


def _unfinished(
    status: ReviewStatus,
    previous: Mapping[str, Any] | None,
    *,
    error: Mapping[str, Any],
    attempts: int,
    next_attempt_at: datetime | None,
    call: Mapping[str, Any],
) -> dict[str, Any]:
    if previous is not None and previous.get("status") == ReviewStatus.REVIEWED:
        used_up = {"failed_event_id": call["usage_event_id"]} if call.get("usage_event_id") else {}
        return {**previous, "error": dict(error), **used_up}
    if attempts >= MAX_ATTEMPTS:
        status, next_attempt_at = ReviewStatus.FAILED, None
    earlier = {key: previous[key] for key in _CALL_KEYS if key in previous} if previous is not None else {}
    return {
        "status": status.value,
        **(call or earlier),
        "attempts": attempts,
        "next_attempt_at": None if next_attempt_at is None else _stored(next_attempt_at),
        "error": dict(error),
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "claim": item.claim,
        "chunk": item.chunk,
        "uri": item.uri,
        "title": item.title,
        "names_account": item.names_account,
    }


def _stored(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _read_time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
