"""Run jobs in several threads, with a gate before each job, one reason to stop, and an orderly end on a signal.

What a job does, and which settings its gate reads, does not belong here. Each thread does one job and is a daemon, so
that a request that hangs can't keep the process from ending. Signals arrive in the main thread at any line, and only
`SimpleQueue.get` is safe to interrupt: `Thread.join`, interrupted, reports a living thread as dead.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, S, SettingsAccess
from entity_pipeline.shared.runs.gate import Beside, joint_gate

# This many jobs in a row without an answer mean that the outside system is down, not that the jobs are at fault.
OUTAGE_AFTER = 10
CLAIM_POLL_S = 1.0
# After a signal: most requests are answered within 8 s, and orchestrators kill after 30 s.
STOP_WITHIN_S = 20.0
RUN_STOPS = "The run is stopping."
TIME_IS_UP = "The step's time is up; the next run continues."
# Ctrl-C outside of a Dagster step; Ctrl-C, SIGTERM and *Terminate* of the UI inside of one.
INTERRUPTIONS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Done:
    """A finished job. `outcome` names its result in counts; `unavailable` means no answer came, perhaps an outage."""

    outcome: str
    unavailable: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process is doing the job."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """No further job may begin, and this one has changed nothing; `because` is a sentence.

    With `at_once` the jobs at work stop too, where they ask for something new; else they may finish.
    """

    because: str
    retry_at: datetime | None = None
    at_once: bool = True


Result = Done | Elsewhere | Stopped
Job = Callable[[], Result]


@dataclass(frozen=True, slots=True)
class Words:
    """The words for the sentences of a run: its jobs, the outside system, and the fate of a job without an answer."""

    jobs: str
    system: str
    unanswered: str


def gated_jobs(
    items: Iterable[Item],
    work: Callable[[Item, S], Result],
    settings: SettingsAccess,
    model: type[S],
    *,
    stop: Event,
    deadline: datetime,
    beside: Sequence[Beside] = (),
) -> list[Job]:
    """A job for each item. It asks the gate first, so that a change during a run takes effect with the next job.

    The gates of the rows `beside` must be open too.
    """

    def job(item: Item) -> Result:
        if stop.is_set():
            return Stopped(RUN_STOPS)
        gate = patiently(partial(joint_gate, settings, model, *beside), sleep=stop.wait)
        if isinstance(gate, Closed):
            return Stopped(str(gate.reason))
        if datetime.now(UTC) >= deadline:
            return Stopped(TIME_IS_UP)
        return work(item, gate.settings)

    return [partial(job, item) for item in items]


class Workers:
    """Runs the jobs of a run. `outcomes`, `held_because` and `retry_at` say how it ended; `stop` is set then."""

    def __init__(self, stop: Event, concurrency: int, words: Words) -> None:
        self._stop = stop
        self._concurrency = concurrency
        self._words = words
        self._is_drained = False
        self._unavailable_in_a_row = 0
        self._finished: SimpleQueue[_Worker] = SimpleQueue()
        self.outcomes: Counter[str] = Counter()
        self.held_because = ""
        self.retry_at: datetime | None = None

    def work_through(self, jobs: Sequence[Job]) -> None:
        """Run the jobs in order until all are done or one says to stop.

        A job that another process is doing is tried again at the end: that process may have died, and its claim then
        expires. An interruption first waits for the running jobs, at most `STOP_WITHIN_S`, so that nothing paid is
        lost; its text says how many were finished.
        """
        at_work: set[_Worker] = set()
        try:
            try:
                self._all(list(jobs), at_work)
            except Exception:
                self._finish(at_work)
                raise
            self._finish(at_work)
        except INTERRUPTIONS as interruption:
            raise type(interruption)(self._come_home(at_work)) from None

    def _all(self, jobs: list[Job], at_work: "set[_Worker]") -> None:
        while jobs and self._may_go_on():
            elsewhere = self._once_through(jobs, at_work)
            if elsewhere and elsewhere == jobs:
                self._stop.wait(CLAIM_POLL_S)
            jobs = elsewhere
        if jobs:
            self.outcomes["in_flight_elsewhere"] += len(jobs)

    def _finish(self, at_work: "set[_Worker]") -> None:
        self._stop.set()
        while at_work:
            worker = self._finished.get()
            at_work.discard(worker)
            self._note(worker.result())

    def _once_through(self, jobs: list[Job], at_work: "set[_Worker]") -> list[Job]:
        """One pass; returns the jobs that another process is doing."""
        queue, elsewhere = iter(jobs), set()
        while not self._stop.is_set():
            while (
                len(at_work) < self._concurrency
                and self._may_go_on()
                and (job := next(queue, None)) is not None
            ):
                worker = _Worker(job, self._finished)
                at_work.add(worker)
                worker.start()
            if not at_work:
                break
            worker = self._finished.get()
            at_work.discard(worker)
            result = worker.result()
            if isinstance(result, Elsewhere):
                elsewhere.add(worker.job)
            else:
                self._note(result)
        return [job for job in jobs if job in elsewhere]

    def _come_home(self, at_work: "set[_Worker]") -> str:
        """Wait for the running jobs, start nothing new, and report. Further signals are ignored."""
        self._stop.set()
        started = {worker for worker in at_work if worker.ident is not None}
        at_work.clear()
        waiting, deadline = set(started), time.monotonic() + STOP_WITHIN_S
        while waiting and time.monotonic() < deadline:
            with suppress(Empty, *INTERRUPTIONS):
                self._finished.get(timeout=max(deadline - time.monotonic(), 0.0))
            waiting = {worker for worker in waiting if not worker.has_ended}
        finished = f"{len(started) - len(waiting)} {self._words.jobs} in progress were finished"
        sentence = f"Stopped by a signal or a person: {finished}"
        if waiting:
            sentence += (
                f", {len(waiting)} got no answer within {STOP_WITHIN_S:.0f} s and {self._words.unanswered}"
            )
        return f"{sentence}. The next run continues."

    def _may_go_on(self) -> bool:
        return not (self._stop.is_set() or self._is_drained)

    def _note(self, result: Result) -> None:
        if isinstance(result, Elsewhere):
            self.outcomes["in_flight_elsewhere"] += 1
            return
        if isinstance(result, Stopped):
            if result.at_once:
                self._stop.set()
            else:
                self._is_drained = True
            until = f" Next try: {minute_in_words(result.retry_at)}." if result.retry_at else ""
            if not self.held_because:
                self.held_because, self.retry_at = f"{result.because}{until}", result.retry_at
            return
        self.outcomes[result.outcome] += 1
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if result.unavailable else 0
        if self._unavailable_in_a_row >= OUTAGE_AFTER:
            self._stop.set()
            jobs, system = self._words.jobs, self._words.system
            self.held_because = f"{OUTAGE_AFTER} {jobs} in a row got no answer: {system} seems to be down."


class _Worker(Thread):
    """Runs one job and puts itself into `finished` afterwards."""

    def __init__(self, job: Job, finished: "SimpleQueue[_Worker]") -> None:
        super().__init__(name="worker", daemon=True)
        self.job = job
        self._finished = finished
        self._result: Result | BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self.job()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, by `result`
            self._result = error
        self._finished.put(self)

    @property
    def has_ended(self) -> bool:
        """Whether there is a result."""
        return self._result is not None

    def result(self) -> Result:
        """The result, once `finished` has the worker; raises what the job raised."""
        if isinstance(self._result, Done | Elsewhere | Stopped):
            return self._result
        raise self._result or RuntimeError("the job has not ended")
