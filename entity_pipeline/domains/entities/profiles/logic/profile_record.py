"""What one look at a profile makes of `profile_backfill`, and which catalog columns it may fill. Pure.

A "not found" is no fact: Instagram gives strangers the same answer for a login wall. It is believed after
two confirmations at different times, each with a canary account that the same seat found right after.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict, cast

from entity_pipeline.core.instagram.access import InstagramProfile, ProfileFetch, ProfileOutcome
from entity_pipeline.core.text.plain_text import visible
from entity_pipeline.domains.entities.models import Account

CONFIRMATION_GAP = timedelta(hours=6)
LONGEST_BACKOFF = timedelta(hours=24)
PICTURE_BACKOFF = timedelta(minutes=15)
HISTORY = 5
REASSIGNED = "reassigned"

Status = Literal["pending", "found", "not_found", "deferred", "failed"]
_FINAL = frozenset({"found", "not_found", "failed"})

_BACKOFF: Mapping[ProfileOutcome, timedelta] = {
    ProfileOutcome.NOT_FOUND: CONFIRMATION_GAP,
    ProfileOutcome.WALL: timedelta(hours=1),
    ProfileOutcome.RATE_LIMITED: timedelta(minutes=45),
    ProfileOutcome.CHALLENGE: timedelta(minutes=90),
    ProfileOutcome.LOGGED_OUT: timedelta(hours=1),
    ProfileOutcome.SUSPENDED: timedelta(hours=1),
    ProfileOutcome.TRANSPORT: timedelta(minutes=5),
    ProfileOutcome.UPSTREAM: timedelta(minutes=10),
    ProfileOutcome.SCHEMA_DRIFT: timedelta(hours=6),
    ProfileOutcome.BUDGET: timedelta(hours=1),
    ProfileOutcome.DEFERRED: timedelta(minutes=15),
}

_LONGEST = {"display_name": 200, "bio": 2_200, "profile_image_url": 2_048}
# Emoji and several scripts are written with joiners and variation selectors; a bio has lines.
_KEPT = frozenset("\n\u200c\u200d\ufe0e\ufe0f")
_LINE_ENDS = re.compile(r"\r\n|[\r\u2028\u2029]")
_BLANKS = re.compile(r" +")


class HistoryEntry(TypedDict):
    """One attempt. `canary` is None when no canary could be asked."""

    at: str
    outcome: str
    source: str
    detail: str
    canary: bool | None
    instagram_id: str | None


class Image(TypedDict):
    """A stored picture: its key and public URL, and what its bytes are."""

    key: str
    url: str
    sha256: str
    bytes: int
    content_type: str


class ProfileBackfill(TypedDict):
    """`metadata.entity_enrichment.profile_backfill`, ready for JSON; times are ISO 8601 in UTC."""

    status: Status
    outcome: str
    attempts: int
    next_attempt_at: str | None
    fetched_at: str | None
    instagram_id: str | None
    source: str
    fields_written: dict[str, str]  # column -> sha256 of the value we last wrote
    image: Image | None
    history: list[HistoryEntry]


def merge_profile_attempt(
    previous: Mapping[str, Any] | None,
    fetch: ProfileFetch,
    now: datetime,
    canary_passed: bool | None,
    max_attempts: int,
) -> ProfileBackfill:
    """The backfill after one more attempt.

    Args:
        previous: The stored value, empty for a first attempt; unreadable parts of it read as absent.
        fetch: How the attempt ended. DEFERRED counts neither as an attempt nor into the history.
        now: The time of the attempt, with a time zone.
        canary_passed: Whether the same seat then found a profile known to exist; None when none was asked.
        max_attempts: Attempts after which an account that was never found is `failed`.
    """
    before = _Stored(previous or {})
    outcome = fetch.outcome
    if outcome is ProfileOutcome.DEFERRED:
        return before.after(
            status="deferred",
            outcome=str(outcome),
            attempts=before.attempts,
            next_attempt_at=_next_attempt(fetch, now, 0),
        )
    attempts = before.attempts + 1
    entry = _entry(fetch, now, canary_passed)
    if outcome is ProfileOutcome.FOUND and fetch.profile is not None:
        return _found(before, fetch, fetch.profile, now, entry, attempts)
    history = [*before.history, entry]
    if outcome is ProfileOutcome.NOT_FOUND and _absence_confirmed(history):
        status, next_attempt_at = "not_found", None
    elif attempts >= max_attempts:
        # What an earlier look found is still there, so a refresh that comes to nothing does not undo it.
        status, next_attempt_at = ("found" if before.fetched_at else "failed"), None
    else:
        status, next_attempt_at = "deferred", _next_attempt(fetch, now, before.attempts)
    return before.after(
        status=cast(Status, status),
        outcome=str(outcome),
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        source=fetch.source,
        history=_trimmed(history),
    )


def is_reassigned(previous: Mapping[str, Any] | None, profile: InstagramProfile) -> bool:
    """Whether the name now belongs to another account than the one whose `pk` we kept."""
    known = _Stored(previous or {}).instagram_id
    return known is not None and known != profile.instagram_id


def fields_to_write(
    account: Account,
    profile: InstagramProfile,
    previous: Mapping[str, Any] | None,
    image_url: str | None = None,
) -> dict[str, str]:
    """Columns of `instagram_accounts` to write, with their values; empty when there is nothing to do.

    A column is filled when it is empty and we never wrote it, or replaced when it still holds exactly what we
    last wrote. Anything else is a person's edit, a cleared value included. Nothing is ever emptied, and nothing
    is taken from a reassigned name. `image_url` is the public URL of the stored picture: Instagram's expires.
    """
    if is_reassigned(previous, profile):
        return {}
    offered = {
        "display_name": visible_text(profile.display_name, _LONGEST["display_name"]),
        "bio": visible_text(profile.bio, _LONGEST["bio"]),
        "profile_image_url": visible_text(image_url, _LONGEST["profile_image_url"]),
    }
    current = {name: getattr(account, name) for name in offered}
    return {
        name: value
        for name, value in offered.items()
        if value and value != current[name] and is_ours_to_write(name, current[name], previous)
    }


def is_ours_to_write(column: str, current: str | None, previous: Mapping[str, Any] | None) -> bool:
    """Whether `current` is empty and never was written by us, or is unchanged since we wrote it."""
    written = _Stored(previous or {}).fields_written.get(column)
    if written is None:
        return not (current or "").strip()
    return fingerprint(current or "") == written


def record_written(
    backfill: ProfileBackfill, written: Mapping[str, str], image: Image | None = None
) -> ProfileBackfill:
    """The backfill that remembers what was just written, and the picture if there is a new one."""
    return {
        **backfill,
        "fields_written": backfill["fields_written"]
        | {column: fingerprint(value) for column, value in written.items()},
        "image": image or backfill["image"],
    }


def picture_put_off(backfill: ProfileBackfill, now: datetime, max_attempts: int) -> ProfileBackfill:
    """The backfill of a found profile whose picture could not be stored: it is looked at again later.

    The picture's address expires within days, so it is not kept.
    """
    if backfill["status"] != "found" or backfill["attempts"] >= max_attempts:
        return backfill
    wait = min(PICTURE_BACKOFF * 4 ** (backfill["attempts"] - 1), LONGEST_BACKOFF)
    return {**backfill, "status": "deferred", "next_attempt_at": _utc(now + wait)}


def fingerprint(value: str) -> str:
    """Lower-case hex SHA-256 of the text in UTF-8."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def visible_text(text: str | None, longest: int) -> str | None:
    """The text as a reader sees it, with its lines: no control, zero-width or direction characters.

    At most `longest` characters; None when a reader would see nothing.
    """
    lines = _LINE_ENDS.sub("\n", unicodedata.normalize("NFC", (text or "")[: longest * 8]))
    kept = "".join(character if character in _KEPT else visible(character) for character in lines)
    shown = _BLANKS.sub(" ", kept).strip()[:longest].rstrip()
    return shown if visible(shown).strip() else None


class _Stored:
    """The stored backfill, read with care: it is JSON that a person may have edited."""

    def __init__(self, raw: object) -> None:
        raw = raw if isinstance(raw, Mapping) else {}
        known = raw.get("instagram_id")
        self.instagram_id = str(known) if type(known) is int else _text(known)
        self.fetched_at = _text(raw.get("fetched_at"))
        self.source = _text(raw.get("source")) or ""
        self.outcome = _text(raw.get("outcome")) or ""
        attempts = raw.get("attempts")
        ended = _text(raw.get("status")) in _FINAL
        # A finished account that is looked at again starts anew.
        self.attempts = attempts if type(attempts) is int and attempts > 0 and not ended else 0
        written = raw.get("fields_written")
        self.fields_written = (
            {str(k): v for k, v in written.items() if isinstance(v, str)}
            if isinstance(written, Mapping)
            else {}
        )
        image = raw.get("image")
        self.image = cast(Image, dict(image)) if isinstance(image, Mapping) and image else None
        history = raw.get("history")
        entries = history if isinstance(history, Sequence) and not isinstance(history, str) else []
        self.history = [cast(HistoryEntry, dict(entry)) for entry in entries if isinstance(entry, Mapping)]

    def after(
        self,
        *,
        status: Status,
        outcome: str,
        attempts: int,
        next_attempt_at: str | None,
        fetched_at: str | None = None,
        instagram_id: str | None = None,
        source: str | None = None,
        history: list[HistoryEntry] | None = None,
    ) -> ProfileBackfill:
        """The value to store: what is given, and for the rest what was there."""
        return {
            "status": status,
            "outcome": outcome,
            "attempts": attempts,
            "next_attempt_at": next_attempt_at,
            "fetched_at": fetched_at or self.fetched_at,
            "instagram_id": instagram_id or self.instagram_id,
            "source": self.source if source is None else source,
            "fields_written": self.fields_written,
            "image": self.image,
            "history": _trimmed(self.history) if history is None else history,
        }


def _found(
    before: _Stored,
    fetch: ProfileFetch,
    profile: InstagramProfile,
    now: datetime,
    entry: HistoryEntry,
    attempts: int,
) -> ProfileBackfill:
    reassigned = before.instagram_id is not None and before.instagram_id != profile.instagram_id
    outcome = REASSIGNED if reassigned else str(fetch.outcome)
    entry["outcome"], entry["instagram_id"] = outcome, profile.instagram_id
    return before.after(
        status="found",
        outcome=outcome,
        attempts=attempts,
        next_attempt_at=None,
        fetched_at=None if reassigned else _utc(now),
        instagram_id=before.instagram_id or profile.instagram_id,
        source=fetch.source,
        history=_trimmed([*before.history, entry]),
    )


def _entry(fetch: ProfileFetch, now: datetime, canary_passed: bool | None) -> HistoryEntry:
    return {
        "at": _utc(now),
        "outcome": str(fetch.outcome),
        "source": fetch.source,
        "detail": fetch.detail[:200],
        "canary": canary_passed,
        "instagram_id": None,
    }


def _next_attempt(fetch: ProfileFetch, now: datetime, earlier_attempts: int) -> str:
    if fetch.outcome is ProfileOutcome.DEFERRED and fetch.next_at is not None:
        return _utc(max(fetch.next_at, now))
    wait = _BACKOFF.get(fetch.outcome, timedelta(hours=1))
    if fetch.outcome not in (ProfileOutcome.NOT_FOUND, ProfileOutcome.DEFERRED):
        wait = min(wait * 2 ** min(earlier_attempts, 10), LONGEST_BACKOFF)
    return _utc(max(now + wait, fetch.next_at or now))


def _utc(moment: datetime) -> str:
    """Whole seconds in UTC, rounded up: such texts are compared as texts, and too early is worse."""
    return (moment.astimezone(UTC) + timedelta(microseconds=999_999)).isoformat(timespec="seconds")


def _absence_confirmed(history: Sequence[HistoryEntry]) -> bool:
    """Two believable absences far enough apart, with no sight of the account after the first."""
    believed = _believable_absences(history)
    if not believed or not _is_absence(history[-1]):
        return False
    first, last = (datetime.fromisoformat(entry["at"]) for entry in (believed[0], believed[-1]))
    return last - first >= CONFIRMATION_GAP


def _believable_absences(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Absences that still count: the account was not seen since, and no canary was missing since.

    A "not found" that the canary got as well is a block; then the earlier ones may have been its beginning.
    """
    believed: list[HistoryEntry] = []
    for entry in history:
        outcome = entry.get("outcome")
        if outcome in (ProfileOutcome.FOUND, REASSIGNED) or entry.get("canary") is False:
            believed.clear()
        elif _is_absence(entry):
            believed.append(entry)
    return believed


def _is_absence(entry: HistoryEntry) -> bool:
    if entry.get("outcome") != ProfileOutcome.NOT_FOUND or entry.get("canary") is not True:
        return False
    try:
        return datetime.fromisoformat(entry["at"]).tzinfo is not None
    except (KeyError, TypeError, ValueError):
        return False


def _trimmed(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The newest entries, but never without the first absence that counts: the second is measured from it."""
    newest = list(history[-HISTORY:])
    first = next(iter(_believable_absences(history)), None)
    return newest if first is None or first in newest else [first, *newest[1:]]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
