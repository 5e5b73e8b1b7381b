"""When a batch is due, and how a task goes on without an answer, by tables."""

from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.gemini.outcomes import STOPS_THE_RUN, NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.domains.influencers.insights.logic.waiting import (
    Treatment,
    Waiting,
    again_at,
    stops,
    treatment,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tasks", "hours", "is_due"),
    [(0, 0, False), (9, 1.9, False), (10, 0, True), (1, 2, True), (1, 1.99, False), (50, 0, True)],
)
def test_ten_tasks_or_two_hours_make_a_batch(tasks: int, hours: float, is_due: bool) -> None:
    found = Waiting(tasks, NOW - timedelta(hours=hours) if tasks else None)
    assert found.is_batch_due(NOW, tasks=10, hours=2) is is_due


@pytest.mark.parametrize("why", list(Unanswered))
def test_a_reason_that_stops_the_run_never_costs_a_task_an_attempt(why: Unanswered) -> None:
    before, after = treatment(why, was_sent=False), treatment(why, was_sent=True)
    if why in STOPS_THE_RUN:
        assert before is Treatment.PUT_OFF
        assert stops(why)
    if why is Unanswered.MODEL_REPLACED:
        assert after is Treatment.WAIT
    if why in (Unanswered.NO_REPLY, Unanswered.REFUSED):
        assert after is Treatment.FAIL
    if why is Unanswered.UNREACHABLE:
        assert (before, after) == (Treatment.PUT_OFF, Treatment.PUT_OFF), "the batch was never sent"


@pytest.mark.parametrize(
    ("why", "retry_at", "wait"),
    [
        (Unanswered.SPEND_REACHED, NOW + timedelta(hours=5), timedelta(hours=5)),
        (Unanswered.SPEND_REACHED, NOW - timedelta(hours=5), timedelta(minutes=15)),
        (Unanswered.IN_FLIGHT, None, timedelta(minutes=15)),
        (Unanswered.MODEL_REPLACED, None, timedelta(hours=1)),
    ],
)
def test_a_task_is_put_off_until_the_limit_opens(
    why: Unanswered, retry_at: datetime | None, wait: timedelta
) -> None:
    assert again_at(NotAnswered(why, because("in_flight"), retry_at), NOW) == NOW + wait
