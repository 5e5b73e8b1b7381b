"""One run's reviews: some threads, the gate asked before each account, and one reason to stop."""

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event
from typing import Generic, Protocol, TypeVar

from entity_pipeline.core.gemini import GeminiAccess, Unanswered
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities.reviewing import (
    IN_FLIGHT,
    OTHER_MODEL,
    Done,
    Stopped,
)

# So many accounts without an answer, one after the other, mean that Gemini is down and not that they are odd.
OUTAGE_AFTER = 10
CLAIM_POLL_S = 1.0


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

    def review(self, account: AnyKey_contra, /) -> Done | Stopped:
        """Bring one account's review up to date."""


class ReviewSession(Generic[Key]):
    """Works through accounts; `outcomes`, `other_models` and `held_because` say what came of it."""

    def __init__(self, reviewer: Reviews[Key], settings: SettingsAccess, concurrency: int) -> None:
        self._reviewer = reviewer
        self._settings = settings
        self._stop = reviewer.stop
        self._concurrency = concurrency
        self._quota_is_used_up = False
        self._unavailable_in_a_row = 0
        self.outcomes: Counter[str] = Counter()
        self.other_models: set[str] = set()
        self.held_because = ""

    def work_through(self, accounts: list[Key]) -> None:
        """Review the accounts in order until they, the quota or the time are used up.

        Accounts that another worker is asking for come again at the end: it may have died, and its claim then
        runs out. An interruption lets the requests that are on the wire come home first, so that nothing paid
        is lost.
        """
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="review") as threads:
            running: dict[Future[Done | Stopped], Key] = {}
            try:
                while accounts and self._may_go_on():
                    claimed = self._once_through(accounts, threads, running)
                    if claimed and claimed == accounts:
                        self._stop.wait(CLAIM_POLL_S)
                    accounts = claimed
                if accounts:
                    self.outcomes["in_flight_elsewhere"] += len(accounts)
            finally:
                self._stop.set()
                for future in list(running):
                    self._note(future.result())

    def _once_through(
        self, accounts: list[Key], threads: ThreadPoolExecutor, running: dict[Future[Done | Stopped], Key]
    ) -> list[Key]:
        """One pass; returns the accounts that another worker holds."""
        queue, claimed = iter(accounts), set()
        while not self._stop.is_set():
            while (
                len(running) < self._concurrency
                and self._may_go_on()
                and (account := next(queue, None)) is not None
            ):
                running[threads.submit(self._one, account)] = account
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                account = running.pop(future)
                result = future.result()
                if isinstance(result, Done) and result.outcome == IN_FLIGHT:
                    claimed.add(account)
                else:
                    self._note(result)
        return [account for account in accounts if account in claimed]

    def _may_go_on(self) -> bool:
        return not (self._stop.is_set() or self._quota_is_used_up)

    def _one(self, account: Key) -> Done | Stopped:
        gate = patiently(self._settings.gate, sleep=self._stop.wait)
        if isinstance(gate, Closed):
            return Stopped(Unanswered.STOPPED, gate.reason, None)
        if datetime.now(UTC) >= self._reviewer.deadline:
            return Stopped(Unanswered.STOPPED, "The step's time is up; the next run goes on.", None)
        return self._reviewer.review(account)

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
        if result.outcome == OTHER_MODEL:
            self.other_models.add(str(result.model_version))
            self._stop.set()
            self.held_because = (
                f"Gemini answered with {result.model_version} in place of {self._reviewer.gemini.model}."
            )
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if result.unavailable else 0
        if self._unavailable_in_a_row >= OUTAGE_AFTER:
            self._stop.set()
            self.held_because = f"{OUTAGE_AFTER} accounts in a row got no answer: Gemini seems to be down."
