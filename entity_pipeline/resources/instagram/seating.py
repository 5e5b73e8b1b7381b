"""Take a seat with its first request counted, count further requests of the attempt, and give the seat back.

Nothing here waits longer than seconds. The governor decides which seat is free, and when.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.reasons import reason
from entity_pipeline.resources.instagram.seats import Busy, Grant, LeaseLost, Purpose, Seat, Slot

# Wait out a short outage of the ledger: an account would otherwise be reviewed without its profile.
LEDGER_PATIENCE_S = 6.0
_ACCOUNT_RETRY = timedelta(minutes=15)
LONGEST_WAIT_S = 6.0  # the longest random pause, and what the windows add to it


class SlotRefused(Exception):
    """No slot is free soon enough for one more request of an attempt."""


@dataclass(frozen=True, slots=True)
class Seating:
    """Args:
    database: Holds the pool and the ledger. governor: Leases accounts and counts requests. only: The one account of
    the pool to use; None leaves the choice to the governor. sleep, clock: Waits for seconds; returns the local time in
    UTC. Replaced in simulations.
    """

    database: Database
    governor: Governor
    only: str | None = None
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)

    def take(
        self, purpose: Purpose, host: str, deadline: datetime, *, needs_session: bool = False
    ) -> Grant | Busy:
        """A seat whose request to `host` is counted; Busy when none is free within seconds."""
        give_up = self._give_up(deadline)
        while True:
            answer = self._patiently(lambda: self._grant(purpose, host, needs_session))
            if isinstance(answer, Grant) or not self._pause(answer, give_up):
                return answer

    def another_slot(self, seat: Seat, purpose: Purpose, host: str, deadline: datetime) -> Slot:
        """Count one more request of a seat.

        Raises:
            SlotRefused: there is no room for it soon enough, or the lease is lost.
        """
        give_up = self._give_up(deadline)
        while True:
            with self.database.connection() as connection:
                answer = self.governor.take_slot(connection, seat, purpose, host=host)
            if isinstance(answer, Slot):
                return answer
            if isinstance(answer, LeaseLost) or not self._pause(answer, give_up):
                raise SlotRefused("no slot is free for one more request")

    def give_back(
        self, seat: Seat, slots: list[Slot], outcome: SeatOutcome | None, *, with_session: bool
    ) -> None:
        """Report the outcome. If that fails, the lease expires and the answer is still returned."""
        with suppress(psycopg.Error, DatabaseUnavailable), self.database.connection() as connection:
            self.governor.release(connection, seat, outcome, with_session=with_session, slots=slots)

    def note(self, purpose: Purpose, host: str) -> Slot | Busy:
        """Count a request that needs no seat."""

        def act() -> Slot | Busy:
            with self.database.connection() as connection:
                return self.governor.note(connection, purpose, host=host)

        return self._patiently(act)

    def settle(self, slot: Slot, outcome: SeatOutcome) -> None:
        """Report how a request without a seat ended, if the ledger can be reached."""
        with suppress(psycopg.Error, DatabaseUnavailable), self.database.connection() as connection:
            self.governor.settle(connection, [slot], outcome)

    def _grant(self, purpose: Purpose, host: str, needs_session: bool) -> Grant | Busy:
        """The least recently used seat that has a slot now, or the wait for the first one to have one."""
        passed: list[str] = []
        busy: list[Busy] = []
        with self.database.connection() as connection:
            while True:
                seat = self.governor.lease(connection, passed, self.only)
                if isinstance(seat, Busy):
                    return min([*busy, seat], key=lambda one: one.next_at)
                if needs_session and seat.account is None:
                    now = self.clock()
                    return Busy(
                        now + _ACCOUNT_RETRY, now, reason("session_needed", operation=purpose.operation)
                    )
                slot = self.governor.take_slot(connection, seat, purpose, host=host)
                if isinstance(slot, Slot):
                    return Grant(seat, slot)
                self.governor.release(connection, seat, None)
                if isinstance(slot, Busy):
                    busy.append(slot)
                    if seat.account is None or seat.account == self.only:
                        return slot
                passed.append(seat.account or "")

    def _patiently(self, action: Callable[[], Any]) -> Any:
        return patiently(action, patience_s=LEDGER_PATIENCE_S, sleep=self.sleep)

    def _give_up(self, deadline: datetime) -> datetime:
        return min(deadline, self.clock() + timedelta(seconds=LONGEST_WAIT_S))

    def _pause(self, busy: Busy, give_up: datetime) -> bool:
        """Wait until the slot is free, if that is before `give_up`."""
        wait_s = max(busy.wait_s, 0.05)
        if self.clock() + timedelta(seconds=wait_s) > give_up:
            return False
        self.sleep(wait_s)
        return True
