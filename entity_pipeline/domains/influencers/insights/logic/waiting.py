"""When a batch is due, and what a reason for no answer means for the task. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from entity_pipeline.core.gemini.outcomes import STOPS_THE_RUN, NotAnswered, Unanswered

LATER = timedelta(minutes=15)
# What only a person can change is looked at less often.
MUCH_LATER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The due tasks that wait for their insights."""

    tasks: int
    since: datetime | None

    def is_batch_due(self, now: datetime, *, tasks: int, hours: float) -> bool:
        """Whether enough tasks wait, or the oldest has waited long enough."""
        if not self.tasks or self.since is None:
            return False
        return self.tasks >= tasks or now - self.since >= timedelta(hours=hours)


class Treatment(StrEnum):
    """How a task goes on without an answer."""

    PUT_OFF = "put_off"  # nothing was sent: no attempt
    FAIL = "fail"  # an attempt
    WAIT = "wait"  # its batch has an answer that must not be used yet


def treatment(why: Unanswered, *, was_sent: bool) -> Treatment:
    """For a task that was left out of a batch, or (`was_sent`) whose batch has ended."""
    if was_sent:
        if why in (Unanswered.MODEL_REPLACED, Unanswered.IN_FLIGHT):
            return Treatment.WAIT
        return Treatment.PUT_OFF if why is Unanswered.UNREACHABLE else Treatment.FAIL
    return Treatment.FAIL if why in (Unanswered.REFUSED, Unanswered.NO_REPLY) else Treatment.PUT_OFF


def stops(why: Unanswered) -> bool:
    """Whether no further batch can be sent now."""
    return why in STOPS_THE_RUN


def again_at(answer: NotAnswered, now: datetime) -> datetime:
    """When a task that was put off is due again."""
    if answer.retry_at is not None and answer.retry_at > now:
        return answer.retry_at
    return now + (MUCH_LATER if answer.reason is Unanswered.MODEL_REPLACED else LATER)
