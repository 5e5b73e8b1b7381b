"""Runs that failed or were cancelled are looked at once: the window of a look, kept in the sensor's cursor."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

# What is broken stays broken for a while.
RETRY_AFTER = timedelta(minutes=15)
_LOOKED_UNTIL = "runs_looked_at_until"
_FIRST_LOOK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RunWindow:
    """Ends of runs that have not been looked at yet: from the last look to `RETRY_AFTER` ago."""

    since: datetime
    until: datetime

    @classmethod
    def after(cls, cursor: str | None, now: datetime) -> "RunWindow":
        """The window of this look; the first one looks back over a day."""
        until = now - RETRY_AFTER
        since = instant_in(cursor, _LOOKED_UNTIL) or until - _FIRST_LOOK
        return cls(since, max(since, until))

    @property
    def entry(self) -> dict[str, str]:
        """What the next look reads from the cursor, a JSON object."""
        return {_LOOKED_UNTIL: self.until.isoformat()}


def instant_in(cursor: str | None, name: str) -> datetime | None:
    """An instant of a cursor that is a JSON object; None where it is missing or can't be read."""
    try:
        return datetime.fromisoformat(json.loads(cursor or "")[name])
    except (ValueError, KeyError, TypeError):
        return None
