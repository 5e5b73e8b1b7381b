"""One run's reviews: some threads, the gate asked before each account, and one reason to stop.

Surprising: a thread serves one account and is a daemon. The main thread alone hears a signal, at any line: only
`SimpleQueue` waits without a lock that such an exception would leave taken (an interrupted `join` takes a living
thread for dead), and a request that hangs must not keep the process from ending.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, Protocol, TypeVar

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities.reviews.review import (
    IN_FLIGHT,
    Done,
    Stopped,
)
from entity_pipeline.domains.entities.settings import EntitySettings

# So many accounts without an answer, one after the other, mean that Gemini is down and not that they are odd.
OUTAGE_AFTER = 10
CLAIM_POLL_S = 1.0
# After a signal: most requests answer within 8 s, and orchestrators kill after 30 s.
STOP_WITHIN_S = 20.0
# Ctrl-C outside of a Dagster step; Ctrl-C, SIGTERM and *Terminate* of the UI inside of one.
INTERRUPTIONS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)


Key = TypeVar("Key")
AnyKey_contra = TypeVar("AnyKey_contra", contravariant=True)


class Reviews(Protocol[AnyKey_contra]):
    """Reviews one account at a time, safe for threads: for the catalog by its id, for an evaluation by its handle."""

    @property
    def gemini(self) -> GeminiAccess:
        """Whose model is asked."""

    @property
    def stop(self) -> Event:
        """Set when nothing new may begin."""

    @property
    def deadline(self) -> datetime:
        """No account begins after it."""

    def under(self, settings: EntitySettings) -> "Reviews[AnyKey_contra]":
        """The same under settings that were changed since: a cap lowered in the middle of a run holds at once."""

    def review(self, account: AnyKey_contra, /) -> Done | Stopped:
        """Bring one account's review up to date."""


class ReviewSession(Generic[Key]):
    """Works through accounts; `outcomes` and `held_because` say how it ended."""

    def __init__(self, reviewer: Reviews[Key], settings: SettingsAccess, concurrency: int) -> None:
        self._reviewer = reviewer
        self._settings = settings
        self._stop = reviewer.stop
        self._concurrency = concurrency
        self._quota_is_used_up = False
        self._unavailable_in_a_row = 0
        self._finished: SimpleQueue[_Worker[Key]] = SimpleQueue()
        self.outcomes: Counter[str] = Counter()
        self.held_because = ""

    def work_through(self, accounts: list[Key]) -> None:
        """Review the accounts in order until they, the quota or the time are used up.

        Accounts that another worker is asking for come again at the end: it may have died, and its claim then
        runs out. An interruption lets the requests that are on the wire come home first, `STOP_WITHIN_S` at
        most, so that nothing paid is lost; its text is then what came of them.
        """
        at_work: set[_Worker[Key]] = set()
        try:
            try:
                self._all(accounts, at_work)
            except Exception:
                self._finish(at_work)
                raise
            self._finish(at_work)
        except INTERRUPTIONS as interruption:
            raise type(interruption)(self._come_home(at_work)) from None

    def _all(self, accounts: list[Key], at_work: "set[_Worker[Key]]") -> None:
        while accounts and self._may_go_on():
            claimed = self._once_through(accounts, at_work)
            if claimed and claimed == accounts:
                self._stop.wait(CLAIM_POLL_S)
            accounts = claimed
        if accounts:
            self.outcomes["in_flight_elsewhere"] += len(accounts)

    def _finish(self, at_work: "set[_Worker[Key]]") -> None:
        self._stop.set()
        while at_work:
            worker = self._finished.get()
            at_work.discard(worker)
            self._note(worker.outcome())

    def _once_through(self, accounts: list[Key], at_work: "set[_Worker[Key]]") -> list[Key]:
        """One pass; returns the accounts that another worker holds."""
        queue, claimed = iter(accounts), set()
        while not self._stop.is_set():
            while (
                len(at_work) < self._concurrency
                and self._may_go_on()
                and (account := next(queue, None)) is not None
            ):
                worker = _Worker(account, self._one, self._finished)
                at_work.add(worker)
                worker.start()
            if not at_work:
                break
            worker = self._finished.get()
            at_work.discard(worker)
            result = worker.outcome()
            if isinstance(result, Done) and result.outcome == IN_FLIGHT:
                claimed.add(worker.account)
            else:
                self._note(result)
        return [account for account in accounts if account in claimed]

    def _come_home(self, at_work: "set[_Worker[Key]]") -> str:
        """Wait for what is on the wire, begin nothing, and say what came of it. Further signals change nothing."""
        self._stop.set()
        started = {worker for worker in at_work if worker.ident is not None}
        at_work.clear()
        waiting, deadline = set(started), time.monotonic() + STOP_WITHIN_S
        while waiting and time.monotonic() < deadline:
            with suppress(Empty, *INTERRUPTIONS):
                self._finished.get(timeout=max(deadline - time.monotonic(), 0.0))
            waiting = {worker for worker in waiting if not worker.has_ended}
        sentence = (
            f"Stopped by a signal or a person: {len(started) - len(waiting)} accounts at work were finished"
        )
        if waiting:
            sentence += (
                f", {len(waiting)} got no answer within {STOP_WITHIN_S:.0f} s and count as used in the ledger"
            )
        return f"{sentence}. The next run goes on."

    def _may_go_on(self) -> bool:
        return not (self._stop.is_set() or self._quota_is_used_up)

    def _one(self, account: Key) -> Done | Stopped:
        if self._stop.is_set():
            return Stopped(Unanswered.STOPPED, "The run is stopping.", None)
        gate = patiently(lambda: self._settings.gate(EntitySettings), sleep=self._stop.wait)
        if isinstance(gate, Closed):
            return Stopped(Unanswered.STOPPED, str(gate.reason), None)
        if datetime.now(UTC) >= self._reviewer.deadline:
            return Stopped(Unanswered.STOPPED, "The step's time is up; the next run goes on.", None)
        return self._reviewer.under(gate.settings).review(account)

    def _note(self, result: Done | Stopped) -> None:
        if isinstance(result, Stopped):
            # A used-up quota lets no new account in; what is paid for may still be repaired and written.
            if result.reason is Unanswered.STOPPED:
                self._stop.set()
            else:
                self._quota_is_used_up = True
            until = f" Next try: {result.retry_at:%Y-%m-%d %H:%M} UTC." if result.retry_at else ""
            self.held_because = self.held_because or f"{result.detail}{until}"
            return
        self.outcomes[result.outcome] += 1
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if result.unavailable else 0
        if self._unavailable_in_a_row >= OUTAGE_AFTER:
            self._stop.set()
            self.held_because = f"{OUTAGE_AFTER} accounts in a row got no answer: Gemini seems to be down."


class _Worker(Thread, Generic[Key]):
    """Reviews one account and says in `finished` that it is done."""

    def __init__(
        self,
        account: Key,
        review: Callable[[Key], Done | Stopped],
        finished: "SimpleQueue[_Worker[Key]]",
    ) -> None:
        super().__init__(name="review", daemon=True)
        self.account = account
        self._review = review
        self._finished = finished
        self._result: Done | Stopped | BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._review(self.account)
        except BaseException as error:  # noqa: BLE001 - it is the main thread's, in `outcome`
            self._result = error
        self._finished.put(self)

    @property
    def has_ended(self) -> bool:
        """Whether there is an outcome."""
        return self._result is not None

    def outcome(self) -> Done | Stopped:
        """What came of it, once `finished` has it; raises what the review raised."""
        if isinstance(self._result, Done | Stopped):
            return self._result
        raise self._result or RuntimeError("the review has not ended")
