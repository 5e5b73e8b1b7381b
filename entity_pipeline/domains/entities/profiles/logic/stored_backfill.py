"""The stored form of `metadata.entity_enrichment.profile_backfill`, and reading it defensively. Pure.

It is JSON that people may have edited, so unreadable values count as absent. How an attempt changes it is decided in
`profile_record.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

from entity_pipeline.core.instagram.absence import Sighting, places_to_keep
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.jsonb import json_items, json_object

HISTORY = 5
FACTS_URLS = 5
REASSIGNED = "reassigned"

Status = Literal["pending", "found", "not_found", "deferred", "failed"]
_FINAL = frozenset({"found", "not_found", "failed"})


class HistoryEntry(TypedDict):
    """One attempt. `canary` is None when no canary could be asked."""

    at: str
    outcome: str
    source: str
    detail: str
    canary: bool | None
    instagram_id: str | None


class Image(TypedDict):
    """A stored picture: its key, its public URL, and facts about its bytes."""

    key: str
    url: str
    sha256: str
    bytes: int
    content_type: str


class ProfileFacts(TypedDict):
    """What the profile page shows beside the columns of an account."""

    is_verified: bool | None
    follower_count: int | None
    external_urls: list[str]


class OtherRow(TypedDict):
    """Another row of `instagram_accounts` that is the same Instagram account under another handle."""

    account_id: str
    username: str


class ProfileBackfill(TypedDict):
    """The whole section, ready for JSON; times are ISO 8601 in UTC.

    `renamed_to` is the row that was last seen with this row's `instagram_id`, if it is another one, and `renamed_from`
    are the rows that had it before. `reassigned_to` is the id that was seen last under this handle, if it is another.
    """

    status: Status
    outcome: str
    attempts: int
    next_attempt_at: str | None
    fetched_at: str | None
    looked_at: str | None
    instagram_id: str | None
    source: str
    fields_written: dict[str, str]  # column -> sha256 of the value we last wrote
    image: Image | None
    history: list[HistoryEntry]
    facts: ProfileFacts | None
    renamed_to: OtherRow | None
    renamed_from: list[OtherRow]
    reassigned_to: str | None


def read_stored(raw: object) -> ProfileBackfill:
    """The stored section with all keys. A finished account that is fetched again starts with zero attempts."""
    raw = json_object(raw)
    known, attempts = raw.get("instagram_id"), raw.get("attempts")
    made = attempts if type(attempts) is int and attempts > 0 else 0
    image = raw.get("image")
    return {
        "status": "pending",
        "outcome": _text(raw.get("outcome")) or "",
        "attempts": 0 if _text(raw.get("status")) in _FINAL else made,
        "next_attempt_at": None,
        "fetched_at": _text(raw.get("fetched_at")),
        "looked_at": _text(raw.get("looked_at")),
        "instagram_id": str(known) if type(known) is int else _text(known),
        "source": _text(raw.get("source")) or "",
        "fields_written": _texts(raw.get("fields_written")),
        "image": cast(Image, dict(image)) if isinstance(image, Mapping) and image else None,
        "history": _entries(raw.get("history")),
        "facts": cast(ProfileFacts, dict(facts)) if (facts := json_object(raw.get("facts"))) else None,
        "renamed_to": _other_row(raw.get("renamed_to")),
        "renamed_from": [row for item in json_items(raw.get("renamed_from")) if (row := _other_row(item))],
        "reassigned_to": _text(raw.get("reassigned_to")),
    }


def sighting(entry: HistoryEntry) -> Sighting:
    """The entry for the rule of absences."""
    outcome = entry.get("outcome")
    return Sighting(
        at=_time(entry.get("at")),
        seen=outcome in (Finding.FOUND, REASSIGNED),
        not_found=outcome == Finding.NOT_FOUND,
        canary=entry.get("canary"),
    )


def trimmed(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The newest entries, always with the first absence that counts, because the second is measured from it."""
    return [history[place] for place in places_to_keep([sighting(entry) for entry in history], HISTORY)]


def _entries(raw: object) -> list[HistoryEntry]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        return []
    return [cast(HistoryEntry, dict(entry)) for entry in raw if isinstance(entry, Mapping)]


def _other_row(raw: object) -> OtherRow | None:
    row = json_object(raw)
    account_id, username = _text(row.get("account_id")), _text(row.get("username"))
    return (
        None if account_id is None or username is None else {"account_id": account_id, "username": username}
    )


def _texts(raw: object) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        return {}
    return {str(name): value for name, value in raw.items() if isinstance(value, str)}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
