"""Profile pictures of one run: downloaded, stored under the hash of their bytes, counted by outcome.

A bucket that refuses the key or stays unreachable concerns every picture: storing stops with the reason and profiles
continue. A single bad picture has no further effect. What is recorded about a picture is decided in
`logic/profile_record.py`.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from entity_pipeline.core.failures import (
    ConfigurationFailure,
    NotConfigured,
    ObjectRefused,
    TransientFailure,
)
from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.picture import Picture, PictureDownload
from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.objects import ObjectStore, StoredObject

PREFIX = "instagram/profile"  # changing it would store every picture again
GIVE_UP_AFTER = (
    3  # failed uploads in one run, so that an unreachable store does not cost a time-out per picture
)


@dataclass(frozen=True, slots=True)
class PictureResult:
    """``stored`` with the object; ``later`` if another attempt should fetch the picture; or ``none``."""

    kind: Literal["stored", "later", "none"]
    stored: StoredObject | None = None


LATER, NO_PICTURE = PictureResult("later"), PictureResult("none")


@dataclass
class ProfilePictures:
    """Stores the pictures of one run. `held_because` is why no more are stored; empty while they are."""

    instagram: InstagramSession
    store: ObjectStore
    outcomes: Counter[str] = field(default_factory=Counter)
    held_because: str = ""
    _failures: int = 0

    def keep(self, url: str, deadline: datetime) -> PictureResult:
        """Download and store one picture."""
        if self.held_because:
            self.outcomes["left_out:storage_is_down"] += 1
            return LATER
        ended = self.instagram.run(PictureDownload(url), deadline)
        if isinstance(ended, Deferred):
            self.outcomes[f"not_sent:{ended.reason.key}"] += 1
            return LATER
        if ended.value is None:
            self.outcomes[f"refused:{ended.detail}"] += 1
            return NO_PICTURE
        return self._store(ended.value)

    def _store(self, picture: Picture) -> PictureResult:
        try:
            stored = self.store.put(PREFIX, picture.data, picture.content_type)
        except (NotConfigured, ObjectRefused) as failure:
            self.outcomes[f"not_stored:{failure}"] += 1
            return NO_PICTURE
        except (TransientFailure, ConfigurationFailure) as failure:
            self.outcomes[f"not_stored:{failure}"] += 1
            self._failures += 1
            if isinstance(failure, ConfigurationFailure) or self._failures >= GIVE_UP_AFTER:
                self.held_because = str(failure)
            return LATER
        self.outcomes["stored"] += 1
        return PictureResult("stored", stored)
