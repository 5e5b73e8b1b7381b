"""Results and the note of their task, in one round trip under the task's fence."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.endings import Ending
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
from entity_pipeline.shared.tasks.rules import Task, TaskStatus
from entity_pipeline_tests.shared.tasks.errands import (
    OTHER,
    QUEUE,
    STORE,
    Connection,
    errand,
    lapse,
    now,
    one,
    put,
    statuses,
)

RESULT = "insert into results select %(of)s where {held}"
LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def task(queue: Connection) -> Task:
    queue.execute("create table results (of_task text)")
    put(queue, "ada")
    return one(queue)


def results(queue: Connection) -> list[str]:
    return [row[0] for row in queue.execute("select of_task from results")]


def trip(queue: Connection, task: Task, ending: Ending | None = None) -> bool:
    fenced = FencedTrip(STORE, queue, task, {"profile": 1})
    fenced.add(RESULT, {"of": "ada"})
    fenced.create(errand("ada", task_type="describe", priority=3))
    if ending is not None:
        fenced.end(ending)
    return fenced.go()


def test_a_held_task_has_its_steps_its_results_and_the_next_task(queue: Connection, task: Task) -> None:
    assert trip(queue, task)
    assert now(queue, task.id).steps == {"profile": 1}
    assert results(queue) == ["ada"]
    [further] = STORE.claim(queue, "next", 1, ["describe"])
    assert (further.task_key, further.priority) == ("ada", 3)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (endings.finished("private"), TaskStatus.DONE),
        (endings.put_off(LATER, "nothing free"), TaskStatus.PENDING),
        (endings.released(), TaskStatus.PENDING),
    ],
)
def test_the_task_can_end_in_the_same_round_trip(
    queue: Connection, task: Task, ending: Ending, status: TaskStatus
) -> None:
    assert ending.status is status
    assert trip(queue, task, ending)
    assert results(queue) == ["ada"]
    ended = now(queue, task.id)
    assert (ended.status, ended.lease_owner) == (status, None)


def test_the_last_failed_attempt_is_final(queue: Connection, task: Task) -> None:
    assert endings.failed(QUEUE, task, OTHER, "no").status is TaskStatus.PENDING
    queue.execute("update errands set max_attempts = 1")
    queue.execute("update errands set lease_owner = 'last'")
    [last] = STORE.claim(queue, "last", 1)
    assert trip(queue, last, endings.failed(QUEUE, last, OTHER, "no"))
    assert statuses(queue)["ada"] is TaskStatus.FAILED


def test_once_the_task_is_lost_nothing_is_written(queue: Connection, task: Task) -> None:
    lapse(queue)
    STORE.recover(queue)
    again = one(queue, "another worker")
    assert not trip(queue, task, endings.finished())
    assert now(queue, task.id) == again
    assert results(queue) == []
    assert STORE.claim(queue, "next", 1, ["describe"]) == []


def test_a_repeated_trip_says_that_the_task_ended(queue: Connection, task: Task) -> None:
    assert trip(queue, task, endings.finished())
    assert trip(queue, task, endings.finished())
    assert results(queue) == ["ada"]


def test_a_refused_result_takes_the_note_and_the_end_with_it(queue: Connection, task: Task) -> None:
    queue.execute("alter table results add check (of_task <> 'ada')")
    with pytest.raises(psycopg.errors.CheckViolation):
        trip(queue, task, endings.finished())
    assert now(queue, task.id).steps == {}
    assert now(queue, task.id).status is TaskStatus.RUNNING


def test_the_open_task_of_a_key_stays_the_only_one(queue: Connection, task: Task) -> None:
    put(queue, "ada", task_type="describe")
    assert trip(queue, task)
    assert len(STORE.claim(queue, "next", 10, ["describe"])) == 1


def test_a_wait_is_counted_from_the_databases_clock(queue: Connection, task: Task) -> None:
    assert trip(queue, task, endings.failed(QUEUE, task, OTHER, "no answer"))
    waiting = now(queue, task.id)
    assert waiting.next_retry_at is not None
    assert waiting.error_message == "no answer"
    left = waiting.next_retry_at - datetime.now(UTC)
    assert timedelta(minutes=4) < left < timedelta(minutes=6)
