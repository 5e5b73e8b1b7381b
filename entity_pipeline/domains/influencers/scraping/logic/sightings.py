"""The looks for a profile that are stored with its blog: `blogs.sightings`, oldest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from entity_pipeline.core.clock import read_utc, utc_text
from entity_pipeline.core.instagram.absence import Sighting, is_confirmed, places_to_keep
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.jsonb import json_items, json_object

MOST = 5

Entries = list[dict[str, Any]]


def with_look(stored: object, result: Result[Any], at: datetime) -> Entries:
    """The stored looks and this one, as many as are kept."""
    entry = {
        "at": utc_text(at),
        "outcome": result.word,
        "source": result.source,
        "detail": result.detail[:300],
        "canary": result.canary,
    }
    entries = [*(dict(json_object(one)) for one in json_items(stored)), entry]
    return [entries[place] for place in places_to_keep(_sightings(entries), MOST)]


def shows_absence(entries: Sequence[object]) -> bool:
    """Whether these looks are enough to say that the profile is gone."""
    return is_confirmed(_sightings(entries))


def _sightings(entries: Sequence[object]) -> list[Sighting]:
    return [
        Sighting(
            at=read_utc(entry.get("at")),
            seen=entry.get("outcome") in (Finding.FOUND, Finding.PRIVATE),
            not_found=entry.get("outcome") == Finding.NOT_FOUND,
            canary=canary if isinstance(canary := entry.get("canary"), bool) else None,
        )
        for entry in map(json_object, entries)
    ]
