"""How one attempt changes `profile_backfill`. Pure; which columns it may fill is in `column_values.py`.

A single "not found" is not a fact: `core/instagram/absence.py` says when it becomes one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from entity_pipeline.core.clock import utc_text
from entity_pipeline.core.instagram.absence import CONFIRMATION_GAP, is_confirmed
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.objects import StoredObject
from entity_pipeline.domains.entities.profiles.logic.column_values import fingerprint, is_reassigned
from entity_pipeline.domains.entities.profiles.logic.stored_backfill import (
    FACTS_URLS,
    REASSIGNED,
    HistoryEntry,
    Image,
    OtherRow,
    ProfileBackfill,
    ProfileFacts,
    Status,
    read_stored,
    sighting,
    trimmed,
)

LONGEST_BACKOFF = timedelta(hours=24)
PICTURE_BACKOFF = timedelta(minutes=15)
_LONGEST_DETAIL = 200
_LEAST_BACKOFF = timedelta(hours=1)
_BACKOFF: Mapping[str, timedelta] = {
    Finding.NOT_FOUND: CONFIRMATION_GAP,
    Finding.DRIFT: timedelta(hours=6),
    Finding.RESTRICTED: LONGEST_BACKOFF,
    SeatOutcome.LIMITED: timedelta(minutes=45),
    SeatOutcome.CHALLENGED: timedelta(minutes=90),
    SeatOutcome.TRANSPORT: timedelta(minutes=5),
    SeatOutcome.UPSTREAM: timedelta(minutes=10),
}


def merge_attempt(
    previous: Mapping[str, Any] | None,
    result: Result[InstagramProfile],
    now: datetime,
    max_attempts: int,
) -> ProfileBackfill:
    """The backfill after one more attempt.

    Args:
        previous: The stored value, empty for a first attempt; unreadable parts count as absent.
        result: How the attempt ended.
        now: The time of the attempt, with a time zone.
        max_attempts: Attempts after which an account that was never found is `failed`.
    """
    before = read_stored(previous)
    attempts = before["attempts"] + 1
    entry = _entry(result, now)
    if result.value is not None:
        reassigned = is_reassigned(previous, result.value)
        entry["outcome"] = REASSIGNED if reassigned else entry["outcome"]
        entry["instagram_id"] = result.value.instagram_id
        return {
            **before,
            "status": "found",
            "outcome": entry["outcome"],
            "attempts": attempts,
            "fetched_at": before["fetched_at"] if reassigned else utc_text(now),
            "looked_at": utc_text(now),
            "instagram_id": before["instagram_id"] or result.value.instagram_id,
            "source": result.source,
            "history": trimmed([*before["history"], entry]),
            "facts": before["facts"] if reassigned else _facts(result.value),
            "renamed_to": before["renamed_to"] if reassigned else None,
            "reassigned_to": result.value.instagram_id if reassigned else None,
        }
    history = [*before["history"], entry]
    status = _status(before, result, history, is_last=attempts >= max_attempts)
    return {
        **before,
        "status": status,
        "outcome": entry["outcome"],
        "attempts": attempts,
        "looked_at": utc_text(now),
        "next_attempt_at": _next_attempt(result, now, before["attempts"]) if status == "deferred" else None,
        "source": result.source,
        "history": trimmed(history),
    }


def record_written(
    backfill: ProfileBackfill, written: Mapping[str, str], stored: StoredObject | None = None
) -> ProfileBackfill:
    """The backfill with a record of the columns just written, and of the picture if there is a new one."""
    fingerprints = {column: fingerprint(value) for column, value in written.items()}
    return {
        **backfill,
        "fields_written": backfill["fields_written"] | fingerprints,
        "image": _image(stored) if stored is not None else backfill["image"],
    }


def record_former(backfill: ProfileBackfill, former: Sequence[OtherRow]) -> ProfileBackfill:
    """The backfill of a found account that other rows had under other handles; rows known before stay known."""
    rows = {row["account_id"]: row for row in (*backfill["renamed_from"], *former)}
    return {**backfill, "renamed_from": list(rows.values())}


def picture_put_off(backfill: ProfileBackfill, now: datetime, max_attempts: int) -> ProfileBackfill:
    """The backfill of a found profile whose picture could not be stored, so that it is fetched again later.

    The picture's address expires within days, so it is not stored.
    """
    if backfill["status"] != "found" or backfill["attempts"] >= max_attempts:
        return backfill
    wait = min(PICTURE_BACKOFF * 4 ** (backfill["attempts"] - 1), LONGEST_BACKOFF)
    return {**backfill, "status": "deferred", "next_attempt_at": utc_text(now + wait)}


def _status(
    before: ProfileBackfill,
    result: Result[InstagramProfile],
    history: list[HistoryEntry],
    *,
    is_last: bool,
) -> Status:
    if result.finding is Finding.NOT_FOUND and is_confirmed([sighting(entry) for entry in history]):
        return "not_found"
    if not is_last:
        return "deferred"
    # The result of an earlier fetch is still stored, so a refresh without a result does not undo it.
    return "found" if before["fetched_at"] else "failed"


def _facts(profile: InstagramProfile) -> ProfileFacts:
    return {
        "is_verified": profile.is_verified,
        "follower_count": profile.follower_count,
        "external_urls": list(profile.external_urls)[:FACTS_URLS],
    }


def _entry(result: Result[InstagramProfile], now: datetime) -> HistoryEntry:
    return {
        "at": utc_text(now),
        "outcome": result.word,
        "source": result.source,
        "detail": result.detail[:_LONGEST_DETAIL],
        "canary": result.canary,
        "instagram_id": None,
    }


def _image(stored: StoredObject) -> Image:
    return {
        "key": stored.key,
        "url": stored.url,
        "sha256": stored.sha256,
        "bytes": stored.bytes,
        "content_type": stored.content_type,
    }


def _next_attempt(result: Result[InstagramProfile], now: datetime, earlier_attempts: int) -> str:
    wait = _BACKOFF.get(result.word, _LEAST_BACKOFF)
    if result.finding is not Finding.NOT_FOUND:
        wait = min(wait * 2 ** min(earlier_attempts, 10), LONGEST_BACKOFF)
    return utc_text(now + wait)
