"""When a sensor launches a day again. Pure.

A day normally needs one run. If the database refuses to write one of its accounts, the account keeps waiting: its day
is launched again when what waits has changed, else only after a quarter of an hour. A decision that was not written is
tried again once per day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from entity_pipeline.core.clock import read_utc

REPEAT_AFTER = timedelta(minutes=15)
REFUSED_AFTER = timedelta(days=1)
_KEY = "launched"


@dataclass(frozen=True, slots=True)
class UndecidedAccounts:
    """The undecided accounts of a cohort: how many, and when the last of them changed."""

    accounts: int
    changed_at: datetime

    def __str__(self) -> str:
        return f"{self.accounts}@{self.changed_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Launches:
    """The last launch of each day that still waits: when it was, and what waited then, as text."""

    launched: Mapping[date, tuple[datetime, str]] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: Mapping[str, Any]) -> "Launches":
        """What can't be read counts as never launched."""
        stored = cursor.get(_KEY)
        found = {}
        for key, value in (stored if isinstance(stored, dict) else {}).items():
            try:
                day, (at, state) = date.fromisoformat(key), value
                instant = read_utc(at)
            except (ValueError, TypeError):
                continue
            if instant is not None:
                found[day] = (instant, str(state))
        return cls(found)

    @property
    def entry(self) -> dict[str, Any]:
        """The entry of the cursor."""
        return {_KEY: {str(day): [at.isoformat(), state] for day, (at, state) in self.launched.items()}}

    def due(self, waiting: Mapping[date, object], refused: Iterable[date], now: datetime) -> set[date]:
        """The days to launch now. `waiting` says what waits, in a value whose text changes with it."""
        new = {day for day, found in waiting.items() if self._state(day) != str(found)}
        again = {day for day in waiting if self._is_old(day, now, REPEAT_AFTER)}
        return new | again | {day for day in refused if self._is_old(day, now, REFUSED_AFTER)}

    def after(
        self,
        launched: Iterable[date],
        waiting: Mapping[date, object],
        refused: Iterable[date],
        now: datetime,
    ) -> "Launches":
        """The launches once these days were launched; days that no longer wait are forgotten."""
        kept = {day: self.launched[day] for day in {*waiting, *refused} & self.launched.keys()}
        return Launches(kept | {day: (now, str(waiting.get(day, ""))) for day in launched})

    def _state(self, day: date) -> str | None:
        return self.launched[day][1] if day in self.launched else None

    def _is_old(self, day: date, now: datetime, age: timedelta) -> bool:
        return day not in self.launched or now - self.launched[day][0] >= age
