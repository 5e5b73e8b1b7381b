"""One governed attempt at one profile: a free seat, its secrets, the attempt, and the seat given back.

What can't be sent within seconds is deferred, never waited for; without the ledger nothing is sent at all.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.core.instagram.access import ProfileFetch, ProfileOutcome
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.seats import Busy, Grant, LeaseLost, Seat, Slot
from entity_pipeline.resources.instagram.sessions import Vault
from entity_pipeline.resources.instagram.spans import note_fetch, note_grant
from entity_pipeline.resources.tracing import active

# A ledger that is away for a moment is waited for: without its profile an account would be reviewed blindly.
LEDGER_PATIENCE_S = 6.0
LONGEST_WAIT_S = 6.0  # the longest random pause and what the windows add to it
REQUEST_TIMEOUT_S = 20.0
_PAGE_HOST = "www.instagram.com"
_RETRY = timedelta(minutes=5)
_HANDLE = re.compile(r"(?!\.)(?!.*\.\.)[a-z0-9_.]{1,30}(?<!\.)")


class SlotRefused(Exception):
    """No slot is free soon enough for one more request of an attempt."""


@dataclass(frozen=True, slots=True)
class ProfileReader:
    """Reads profiles as the governor allows.

    Args:
        database: Where the pool and the ledger are.
        governor: Leases and counts.
        vault: Opens the sessions and proxy addresses of the pool.
        base_url: Takes every connection when given.
        only: The one account of the pool to use; None leaves the choice to the governor.
        sleep, clock: Waits for seconds; the local time in UTC. Others are for simulations.
    """

    database: Database
    governor: Governor
    vault: Vault = field(repr=False)
    base_url: str | None = None
    only: str | None = None
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)

    def fetch(self, username: str, windows: InstagramWindows, deadline: datetime) -> ProfileFetch:
        """One attempt; see `core.profiles.InstagramAccess.fetch_profile`."""
        asked = username.lower()
        if not _HANDLE.fullmatch(asked):
            return ProfileFetch(
                ProfileOutcome.NOT_FOUND, detail="This can't be a username; nothing was sent."
            )
        if self.clock() >= deadline:
            return self._deferred("The time for this step is over; nothing was sent.")
        try:
            with active().call("instagram profile", {}, is_request=False) as span:
                began = time.monotonic()
                grant = self._wait_for_grant(asked, windows, deadline)
                note_grant(span, grant, time.monotonic() - began)
                if isinstance(grant, Busy):
                    return ProfileFetch(ProfileOutcome.DEFERRED, detail=grant.detail, next_at=grant.next_at)
                fetch = self._use(grant, asked, windows, deadline)
                note_fetch(span, fetch)
                return fetch
        except (psycopg.Error, DatabaseUnavailable) as error:
            kind = type(error).__name__
            return self._deferred(
                f"The ledger of Instagram requests can't be used ({kind}); nothing was sent."
            )

    def _use(self, grant: Grant, asked: str, windows: InstagramWindows, deadline: datetime) -> ProfileFetch:
        from entity_pipeline.resources.instagram.attempt import Attempted, Identity, attempt

        seat, slots = grant.seat, [grant.slot]
        unsent = [grant.slot]

        def before_send(host: str) -> None:
            if unsent:
                unsent.clear()
            else:
                slots.append(self._another_slot(seat, windows, host, asked, deadline))

        done: Attempted | None = None
        try:
            identity = Identity(
                account=seat.account,
                cookies=self.vault.open_cookies(seat.session_secret) if seat.session_secret else None,
                proxy=self.vault.open(seat.proxy_secret) if seat.proxy_secret else None,
            )
            timeout_s = min(REQUEST_TIMEOUT_S, max(1.0, (deadline - self.clock()).total_seconds()))
            done = attempt(
                asked, identity, before_send=before_send, timeout_s=timeout_s, base_url=self.base_url
            )
            return ProfileFetch(
                done.outcome, done.profile, done.detail, source=seat.source, account=seat.account
            )
        except ConfigurationFailure as failure:
            return self._deferred(f"{seat.source}: {failure}")
        finally:
            self._give_back(
                seat, slots, done.seat_outcome if done else None, bool(done and done.with_session)
            )

    def _give_back(
        self, seat: Seat, slots: list[Slot], outcome: ProfileOutcome | None, with_session: bool
    ) -> None:
        # When this fails the lease runs out by itself, and the answer that was paid for is still returned.
        with suppress(psycopg.Error, DatabaseUnavailable), self.database.connection() as connection:
            self.governor.release(connection, seat, outcome, with_session=with_session, slots=slots)

    def _wait_for_grant(self, asked: str, windows: InstagramWindows, deadline: datetime) -> Grant | Busy:
        give_up = self._give_up(deadline)
        while True:
            answer = patiently(
                lambda: self._grant(asked, windows), patience_s=LEDGER_PATIENCE_S, sleep=self.sleep
            )
            if isinstance(answer, Grant) or not self._pause(answer, give_up):
                return answer

    def _grant(self, asked: str, windows: InstagramWindows) -> Grant | Busy:
        """The least recently used seat that has a slot now, or the one that will have one first."""
        passed: list[str] = []
        busy: list[Busy] = []
        with self.database.connection() as connection:
            while True:
                seat = self.governor.lease(connection, passed, self.only)
                if isinstance(seat, Busy):
                    return min([*busy, seat], key=lambda one: one.next_at)
                slot = self._take(connection, seat, windows, _PAGE_HOST, asked)
                if isinstance(slot, Slot):
                    return Grant(seat, slot)
                self.governor.release(connection, seat, None)
                if isinstance(slot, Busy):
                    busy.append(slot)
                    if seat.account is None or seat.account == self.only:
                        return slot
                passed.append(seat.account or "")

    def _another_slot(
        self, seat: Seat, windows: InstagramWindows, host: str, asked: str, deadline: datetime
    ) -> Slot:
        give_up = self._give_up(deadline)
        while True:
            with self.database.connection() as connection:
                answer = self._take(connection, seat, windows, host, asked)
            if isinstance(answer, Slot):
                return answer
            if isinstance(answer, LeaseLost) or not self._pause(answer, give_up):
                raise SlotRefused("no slot is free for one more request")

    def _take(
        self, connection: Any, seat: Seat, windows: InstagramWindows, host: str, asked: str
    ) -> Slot | Busy | LeaseLost:
        return self.governor.take_slot(connection, seat, windows, host=host, username=asked)

    def _give_up(self, deadline: datetime) -> datetime:
        return min(deadline, self.clock() + timedelta(seconds=LONGEST_WAIT_S))

    def _pause(self, busy: Busy, give_up: datetime) -> bool:
        """Wait until the slot is free, if that is before `give_up`."""
        wait_s = max(busy.wait_s, 0.05)
        if self.clock() + timedelta(seconds=wait_s) > give_up:
            return False
        self.sleep(wait_s)
        return True

    def _deferred(self, detail: str) -> ProfileFetch:
        return ProfileFetch(ProfileOutcome.DEFERRED, detail=detail, next_at=self.clock() + _RETRY)
