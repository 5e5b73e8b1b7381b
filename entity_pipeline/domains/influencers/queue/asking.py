"""One answer from Instagram for a task: other seats are tried when one is refused. What to ask is up to the task."""

from datetime import timedelta
from typing import TypeVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.shared.runs.workers import RUN_STOPS, TIME_IS_UP, Done, Stopped
from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.endings import Ending

MOST_SEATS = 3
# Another worker has the task, and what this one would write is refused.
LOST = Done("lost")
# When a deferral names no time.
_LATER = timedelta(minutes=5)

R = TypeVar("R")


def ask(operation: Operation[R], work: Work) -> Result[R] | Deferred | None:
    """The answer of the first seat that gets one, of at most `MOST_SEATS`.

    Each refusal cools its seat, so the next attempt has another. Returns the last refusal when every seat was refused,
    or no further one is free; Deferred when nothing was sent at all; None when the run ends.
    """
    last: Result[R] | None = None
    for _ in range(MOST_SEATS):
        if not work.may_ask:
            return None
        ended = work.session.run(operation, work.deadline)
        if isinstance(ended, Deferred):
            return last or ended
        if not ended.is_refused:
            return ended
        last = ended
    return last


def unasked(answer: Deferred | None, work: Work) -> tuple[Ending, Stopped] | None:
    """How a task for which `ask` has no answer is given back, and the end of the run. The attempt does not count.

    Put off while Instagram may not be asked; due again at once when the run ends. None if it is only this task that may
    not go on, because another worker has it.
    """
    if answer is not None:
        until, because = answer.next_at or work.clock() + _LATER, str(answer.reason)
        return endings.put_off(until, because), Stopped(because, until, at_once=False)
    if work.lost.is_set():
        return None
    because = RUN_STOPS if work.stop.is_set() else TIME_IS_UP
    return endings.released(), Stopped(because, at_once=False)
