"""A sensor examines each failed or cancelled run once: the window of one evaluation, kept in the sensor's cursor."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

# A failure that was just seen is likely to repeat, so a retry waits this long.
RETRY_AFTER = timedelta(minutes=15)
_LOOKED_UNTIL = "runs_looked_at_until"
_FIRST_LOOK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RunWindow:
    """The end times of runs that have not been examined yet: from the last evaluation to `RETRY_AFTER` ago."""

    since: datetime
    until: datetime

    @classmethod
    def after(cls, cursor: str | None, now: datetime) -> "RunWindow":
        """The window of this evaluation; the first one covers the last day."""
        until = now - RETRY_AFTER
        since = instant_in(cursor, _LOOKED_UNTIL) or until - _FIRST_LOOK
        return cls(since, max(since, until))

    @property
    def entry(self) -> dict[str, str]:
        """The entry of the cursor (a JSON object) that the next evaluation reads."""
        return {_LOOKED_UNTIL: self.until.isoformat()}


def instant_in(cursor: str | None, name: str) -> datetime | None:
    """An instant of a cursor that is a JSON object; None where it is missing or can't be read."""
    try:
        return datetime.fromisoformat(json.loads(cursor or "")[name])
    except (ValueError, KeyError, TypeError):
        return None
