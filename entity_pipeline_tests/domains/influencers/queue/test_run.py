"""A run of the queue with handlers of the test's own: what fails a task, what ends the run, and what is given back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier, Event

import psycopg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, SchemaMismatch
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.run import QueueReport, QueueRun
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Handler, Work
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import NewTask, Task, TaskStatus
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.ground import Ground, ground

STRICT = replace(STORE, draw=lambda: 0.0)


@pytest.fixture
def queue(assets_db: ClonedDatabase) -> Iterator[Ground]:
    with ground(assets_db) as made:
        made.settings(max_concurrent_tasks=1)
        yield made


def put(queue: Ground, *tags: str, priority: int = 5) -> None:
    queue.put(*(NewTask(TaskType.DISCOVER, tag, priority) for tag in tags))


def run(queue: Ground, handler: Handler, deadline: datetime | None = None) -> QueueRun:
    return QueueRun(
        "a run",
        queue.database,
        SettingsStore(assets_db=queue.database, operation_db=queue.database),
        queue.access.session("influencers"),
        deadline or datetime.now(UTC) + timedelta(minutes=5),
        handlers={TaskType.DISCOVER: handler},
    )


def once(queue: Ground, handler: Handler, deadline: datetime | None = None) -> QueueReport:
    return run(queue, handler, deadline).once(STRICT.claim)


def finish(task: Task, work: Work) -> Done:
    with work.database.connection() as connection:
        STORE.finish(connection, task)
    return Done("done")


def states(queue: Ground) -> dict[str, tuple[str, int]]:
    return {task.task_key: (task.status.value, task.attempts) for task in queue.tasks()}


def test_tasks_are_worked_on_by_priority_and_no_more_than_a_tick_takes(queue: Ground) -> None:
    queue.settings(max_concurrent_tasks=1, tasks_per_tick=3)
    put(queue, "third", "fourth", priority=5)
    put(queue, "first", priority=1)
    put(queue, "second", priority=3)
    seen: list[str] = []

    def handler(task: Task, work: Work) -> Done:
        seen.append(task.task_key)
        return finish(task, work)

    report = once(queue, handler)
    assert seen == ["first", "second", "third"]
    assert (report.outcomes, report.left, report.held_because) == ({"done": 3}, 0, "")
    assert run(queue, handler).until_done(STRICT.claim).outcomes == {"done": 1}


def test_so_many_tasks_are_at_work_at_once(queue: Ground) -> None:
    queue.settings(max_concurrent_tasks=3)
    put(queue, *"abc")
    together = Barrier(3, timeout=20)

    def handler(task: Task, work: Work) -> Done:
        together.wait()
        return finish(task, work)

    assert once(queue, handler).outcomes == {"done": 3}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a bug"), "ValueError: a bug"),
        (psycopg.errors.CheckViolation("a value\nof the row"), "CheckViolation"),
    ],
    ids=["a bug", "a refused row"],
)
def test_a_task_whose_work_breaks_fails_alone_and_waits(queue: Ground, error: Exception, said: str) -> None:
    put(queue, "bad", "good")

    def handler(task: Task, work: Work) -> Done:
        if task.task_key == "bad":
            raise error
        return finish(task, work)

    assert once(queue, handler).outcomes == {"error": 1, "done": 1}
    assert states(queue) == {"bad": ("pending", 1), "good": ("done", 1)}
    [bad] = [task for task in queue.tasks() if task.task_key == "bad"]
    assert said in str(bad.error_message)
    assert bad.next_retry_at is not None


@pytest.mark.parametrize(
    "failure",
    [
        SchemaMismatch("A table is missing."),
        ConfigurationFailure("A right is missing."),
        DatabaseUnavailable("Gone."),
    ],
    ids=["schema", "right", "database"],
)
def test_what_every_task_would_meet_ends_the_run_and_is_booked_on_none(
    queue: Ground, failure: Exception
) -> None:
    put(queue, "first", "second", "third")

    def handler(task: Task, work: Work) -> Done:
        if task.task_key == "second":
            raise failure
        return finish(task, work)

    with pytest.raises(type(failure), match=str(failure)):
        once(queue, handler)
    assert states(queue) == {"first": ("done", 1), "second": ("pending", 0), "third": ("pending", 0)}


def test_a_reason_to_stop_releases_the_rest_and_ends_the_run_in_words(queue: Ground) -> None:
    put(queue, "first", "second", "third")
    at = datetime(2100, 1, 1, tzinfo=UTC)

    def handler(task: Task, work: Work) -> Stopped:
        with work.database.connection() as connection:
            STORE.put_off(connection, task, at, "No place is free.")
        return Stopped("No place is free.", at, at_once=False)

    report = run(queue, handler).until_done(STRICT.claim)
    assert report.held_because == "No place is free. Next try: 2100-01-01 00:00 UTC."
    assert (report.retry_at, report.left) == (at, 3)
    assert set(states(queue).values()) == {("pending", 0)}
    assert [task.deferred_until for task in queue.tasks()] == [at, None, None]


@pytest.mark.parametrize("row", ["influencers", "instagram", "terms"])
def test_a_switch_is_obeyed_before_the_next_task(queue: Ground, row: str) -> None:
    put(queue, "first", "second")

    def handler(task: Task, work: Work) -> Done:
        off: dict[str, Callable[[], None]] = {
            "influencers": partial(queue.settings, on=False),
            "instagram": partial(queue.instagram, on=False),
            "terms": partial(queue.instagram, terms=False),
        }
        off[row]()
        return finish(task, work)

    report = once(queue, handler)
    assert report.held_because
    assert states(queue) == {"first": ("done", 1), "second": ("pending", 0)}


def test_when_the_time_is_up_the_rest_is_given_back(queue: Ground) -> None:
    put(queue, "first")
    report = once(queue, finish, datetime.now(UTC) - timedelta(seconds=1))
    assert report.held_because == "The step's time is up; the next run continues."
    assert states(queue) == {"first": ("pending", 0)}


def test_a_handler_learns_that_its_task_was_lost(queue: Ground) -> None:
    put(queue, "first")
    quick = replace(STORE, queue=replace(STORE.queue, lease=timedelta(seconds=1)))
    lost = Event()

    def handler(task: Task, work: Work) -> Done:
        with work.database.connection() as connection:
            connection.execute("update scrape_tasks set fence = fence + 1")
        assert work.lost.wait(20)
        assert not work.may_ask
        lost.set()
        return Done("lost")

    replace(run(queue, handler), store=quick).once(quick.claim)
    assert lost.is_set()


def test_without_a_due_task_nothing_happens(queue: Ground) -> None:
    report = once(queue, finish)
    assert (report.claimed, report.left, report.held_because) == ([], 0, "")


def test_a_finished_task_is_final(queue: Ground) -> None:
    put(queue, "first")
    once(queue, finish)
    assert [task.status for task in queue.tasks()] == [TaskStatus.DONE]
    assert once(queue, finish).claimed == []
