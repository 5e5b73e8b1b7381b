"""When "not found" may be believed. Pure; where a domain keeps its sightings is the domain's business.

Instagram also answers "not found" to strangers in place of login walls and blocks. So an absence is a fact only after
two observations far enough apart, each confirmed by a canary that the same seat found right after, and none of them
followed by a sight of the target or by a canary that was missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CONFIRMATION_GAP = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One stored attempt. `at` is None when its time can't be read; the attempt then confirms nothing."""

    at: datetime | None
    seen: bool = False  # the target was there
    not_found: bool = False
    canary: bool | None = None

    @property
    def is_absence(self) -> bool:
        """Whether this is a "not found" with a canary that was found."""
        return self.not_found and self.canary is True and self.at is not None


def is_confirmed(sightings: Sequence[Sighting]) -> bool:
    """Whether the newest sighting is an absence, and one that counts is at least `CONFIRMATION_GAP` older."""
    counting = counting_absences(sightings)
    if not counting or not sightings[-1].is_absence:
        return False
    first, last = sightings[counting[0]].at, sightings[counting[-1]].at
    return first is not None and last is not None and last - first >= CONFIRMATION_GAP


def counting_absences(sightings: Sequence[Sighting]) -> list[int]:
    """Places in `sightings` (oldest first) of the absences that still count.

    A "not found" for the canary too is a block; the earlier ones may then have been its beginning.
    """
    counting: list[int] = []
    for place, sighting in enumerate(sightings):
        if sighting.seen or sighting.canary is False:
            counting.clear()
        elif sighting.is_absence:
            counting.append(place)
    return counting


def places_to_keep(sightings: Sequence[Sighting], most: int) -> list[int]:
    """Places of the newest `most` sightings; the first absence that counts takes the place of the oldest of them.

    The second absence is measured from the first, however many looks are in between.
    """
    newest = list(range(max(len(sightings) - most, 0), len(sightings)))
    counting = counting_absences(sightings)
    if counting and newest and counting[0] < newest[0]:
        newest[0] = counting[0]
    return newest
