"""The queue on a real PostgreSQL: what is created, claimed and in which order, and each write of a worker."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from psycopg import sql

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.shared.tasks.rules import NewTask, TaskStatus
from entity_pipeline.shared.tasks.store import WORKER_LOST, CreatedTask, TaskStore
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.tasks.errands import (
    COOLING,
    LEASE,
    OTHER,
    QUEUE,
    STORE,
    Connection,
    claimed,
    errand,
    keys,
    lapse,
    now,
    one,
    put,
    wake,
)

PENDING, RUNNING, DONE, FAILED = TaskStatus


def clock(connection: Connection) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


# Create


def test_a_task_is_created_once_while_it_is_open(queue: Connection) -> None:
    [first] = STORE.create(queue, [errand("ada", payload={"name": "Ada"})])
    assert first.is_new
    assert STORE.create(queue, [errand("ada")]) == [CreatedTask(first.id, False)]
    task = one(queue)
    assert (task.payload, task.priority, task.max_attempts) == ({"name": "Ada"}, 5, 4)
    assert STORE.create(queue, [errand("ada")]) == [CreatedTask(first.id, False)]
    STORE.finish(queue, task)
    [second] = STORE.create(queue, [errand("ada")])
    assert second.is_new
    assert second.id != first.id


def test_the_same_key_of_another_type_is_another_task(queue: Connection) -> None:
    answers = STORE.create(queue, [errand("ada"), errand("ada", task_type="describe")])
    assert [answer.is_new for answer in answers] == [True, True]


def test_of_many_at_once_the_answer_says_which_are_new_in_the_order_asked(queue: Connection) -> None:
    [bea] = put(queue, "bea")
    answers = STORE.create(queue, [errand(key) for key in ("dan", "bea", "ada", "dan")])
    assert [answer.is_new for answer in answers] == [True, False, True, False]
    assert answers[1].id == bea
    assert answers[0].id == answers[3].id


def test_a_thousand_are_created_at_once_and_no_more(queue: Connection) -> None:
    answers = STORE.create(queue, [errand(f"name-{n}") for n in range(1_000)])
    assert all(answer.is_new for answer in answers)
    with pytest.raises(ValueError, match="1001 tasks at once"):
        STORE.create(queue, [errand(f"name-{n}") for n in range(1_001)])


def test_an_unknown_type_is_refused(queue: Connection) -> None:
    with pytest.raises(ValueError, match="unknown types: \\['paint'\\]"):
        STORE.create(queue, [NewTask("paint", "ada", 1)])


def test_nothing_is_created_of_nothing(queue: Connection) -> None:
    assert STORE.create(queue, []) == []


@pytest.mark.parametrize(("asked", "kept"), [(1, 1), (8, 5)])
def test_a_pending_task_takes_over_a_more_urgent_priority_only(
    queue: Connection, asked: int, kept: int
) -> None:
    [task] = put(queue, "ada", priority=5)
    put(queue, "ada", priority=asked)
    assert now(queue, task).priority == kept


def test_what_no_text_of_postgresql_may_hold_is_stored_all_the_same(queue: Connection) -> None:
    put(queue, "ada", payload={"name": "A\x00da \ud800"})
    task = one(queue)
    STORE.fail(queue, task, OTHER, "no\x00answer \ud800" + "!" * 5_000)
    error = now(queue, task.id).error_message
    assert error is not None
    assert error.startswith("noanswer !!!")
    assert len(error) <= 1_000


def test_creators_of_the_same_tasks_in_opposite_orders_neither_wait_for_ever_nor_create_two(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    names = [f"name-{n}" for n in range(1_000)]
    together = threading.Barrier(4)

    def create(nth: int) -> list[CreatedTask]:
        tasks = [errand(name, priority=nth + 1) for name in (names if nth % 2 else reversed(names))]
        with queue_db.connection() as connection:
            together.wait()
            return STORE.create(connection, tasks)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(create, range(4)))
    assert sum(answer.is_new for made in answers for answer in made) == len(names)
    assert len({answer.id for made in answers for answer in made}) == len(names)


# Claim


def test_a_claim_gives_a_lease_a_fence_and_an_attempt(queue: Connection) -> None:
    put(queue, "ada")
    before = clock(queue)
    task = one(queue)
    assert (task.status, task.attempts, task.fence, task.lease_owner) == (RUNNING, 1, 1, "claim")
    assert task.lease_until is not None
    assert task.started_at is not None
    assert before <= task.started_at <= clock(queue)
    assert task.lease_until == task.started_at + LEASE
    assert claimed(queue, "another") == []


def test_the_most_urgent_come_first_and_among_those_the_oldest(queue: Connection) -> None:
    put(queue, "third", "fourth", priority=2)
    put(queue, "last", priority=10)
    put(queue, "first", "second", priority=1)
    assert keys(claimed(queue, most=9)) == ["first", "second", "third", "fourth", "last"]


def test_types_of_one_priority_are_equal(queue: Connection) -> None:
    for n, task_type in enumerate(["describe", "fetch", "describe", "fetch"]):
        put(queue, str(n), task_type=task_type)
    assert keys(claimed(queue, "a", 3)) == ["0", "1", "2"]
    put(queue, "4", task_type="describe")
    assert keys(claimed(queue, "b", 9, types=["describe"])) == ["4"]


def test_a_task_that_waits_is_not_claimed_before_its_time(queue: Connection) -> None:
    put(queue, "ada", "bea")
    ada, bea = claimed(queue, "a", 2)
    STORE.fail(queue, ada, OTHER, "no answer")
    STORE.put_off(queue, bea, clock(queue) + timedelta(hours=1), "no place")
    assert claimed(queue, "b") == []
    wake(queue)
    assert sorted(keys(claimed(queue, "c", 2))) == ["ada", "bea"]


def test_a_place_goes_to_the_one_that_has_been_due_longest(queue: Connection) -> None:
    put(queue, "old", "older", priority=10)
    queue.execute("update errands set created_at = created_at - interval '1 day' where task_key = 'older'")
    put(queue, "a", "b", "c", priority=1)
    fair = TaskStore(QUEUE, draw=lambda: 0.99)
    assert keys(fair.claim(queue, "one", 2)) == ["older", "a"]
    assert keys(fair.claim(queue, "two", 10)) == ["old", "b", "c"]


def test_low_priorities_are_done_although_urgent_work_never_ends(queue: Connection) -> None:
    put(queue, "low", priority=10)
    store = TaskStore(QUEUE)
    for nth in range(500):
        put(queue, f"{nth}", priority=1)
        [task] = store.claim(queue, f"claim-{nth}", 1)
        if task.task_key == "low":
            break
    else:
        pytest.fail("the low priority starved")


def test_a_claim_that_is_repeated_gets_the_same_tasks_and_no_others(queue: Connection) -> None:
    put(queue, "ada", "bea", "cho", "dan")
    first = claimed(queue, "mine", 2)
    assert claimed(queue, "mine", 2) == first
    STORE.finish(queue, first[0])
    assert keys(claimed(queue, "mine", 2)) == keys(first[1:])
    assert keys(claimed(queue, "another", 4)) == ["cho", "dan"]


@pytest.mark.parametrize("drawn", [0.0, 0.99])
def test_a_claim_locks_no_more_than_it_takes(
    queue_db: ClonedDatabase, queue: Connection, drawn: float
) -> None:
    put(queue, "a", "b", priority=1)
    put(queue, "c", "d", priority=2)
    put(queue, "e", "f", priority=2, task_type="describe")
    store = TaskStore(QUEUE, draw=lambda: drawn)
    with queue_db.connection() as other, other.transaction():
        assert sorted(keys(store.claim(other, "one", 3))) == ["a", "b", "c"]
        assert keys(claimed(queue, "two", 9)) == ["d", "e", "f"]


# What a worker writes


def test_finished_is_final_and_says_how(queue: Connection) -> None:
    put(queue, "ada")
    task = one(queue)
    assert STORE.finish(queue, task, "private")
    after = now(queue, task.id)
    assert (after.status, after.outcome, after.lease_owner, after.attempts) == (DONE, "private", None, 1)
    assert after.completed_at is not None
    lapse(queue)
    assert STORE.recover(queue) == []
    assert claimed(queue, "another") == []


@pytest.mark.parametrize(("kind", "minutes"), [(COOLING, [5, 15]), (OTHER, [5, 15, 45])])
def test_failures_wait_longer_each_time_and_end(queue: Connection, kind: str, minutes: list[int]) -> None:
    put(queue, "ada")
    for nth, wait in enumerate(minutes):
        task = one(queue, f"claim-{nth}")
        before = clock(queue)
        assert STORE.fail(queue, task, kind, "no answer") is PENDING
        after = now(queue, task.id)
        assert (after.attempts, after.error_message) == (nth + 1, "no answer")
        assert after.next_retry_at == after.due_at
        assert before <= after.due_at - timedelta(minutes=wait) <= clock(queue)
        wake(queue)
    task = one(queue)
    assert STORE.fail(queue, task, kind, "still no answer") is FAILED
    after = now(queue, task.id)
    assert (after.status, after.outcome, after.error_message) == (FAILED, kind, "still no answer")
    assert after.completed_at is not None


def test_what_was_put_off_is_no_attempt(queue: Connection) -> None:
    put(queue, "ada")
    until = datetime(2100, 1, 1, tzinfo=UTC)
    for nth in range(10):
        task = one(queue, f"claim-{nth}")
        assert task.attempts == 1
        assert STORE.put_off(queue, task, until, "every account is cooling")
        after = now(queue, task.id)
        assert (after.status, after.attempts, after.due_at) == (PENDING, 0, until)
        queue.execute("update errands set deferred_until = clock_timestamp() - interval '1 s'")


def test_released_is_due_at_once_and_no_attempt(queue: Connection) -> None:
    put(queue, "ada", "bea")
    tasks = claimed(queue, "a", 2)
    assert STORE.release(queue, tasks) == {task.id for task in tasks}
    assert {now(queue, task.id).attempts for task in tasks} == {0}
    assert keys(claimed(queue, "b", 2)) == ["ada", "bea"]


def test_steps_are_merged_and_kept_for_the_next_worker(queue: Connection) -> None:
    put(queue, "ada")
    task = one(queue)
    assert STORE.note_steps(queue, task, {"profile": 1})
    assert STORE.note_steps(queue, task, {"posts": {"n": 20}})
    lapse(queue)
    STORE.recover(queue)
    assert one(queue, "another").steps == {"profile": 1, "posts": {"n": 20}}


def test_a_step_and_its_results_are_stored_together_or_not_at_all(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    queue.execute("create table results (name text)")
    put(queue, "ada")
    late = one(queue)
    lapse(queue)
    STORE.recover(queue)
    current = one(queue, "another")

    def store(task: Any) -> bool:
        with queue_db.connection() as connection, connection.transaction():
            if not STORE.note_steps(connection, task, {"profile": 1}):
                return False
            connection.execute("insert into results values ('Ada')")
            return True

    assert [store(late), store(current)] == [False, True]
    assert queue.execute("select count(*) from results").fetchall() == [(1,)]


def test_a_sign_of_life_lets_the_lease_begin_again(queue: Connection) -> None:
    put(queue, "ada", "bea")
    ada, bea = claimed(queue, "a", 2)
    lapse(queue)
    assert STORE.extend(queue, [ada]) == {ada.id}
    assert keys(STORE.recover(queue)) == ["bea"]
    until = now(queue, ada.id).lease_until
    assert until is not None
    assert until > clock(queue) + LEASE - timedelta(minutes=1)
    assert STORE.extend(queue, [ada, bea]) == {ada.id}


WRITES = {
    "extend": lambda connection, task: STORE.extend(connection, [task]),
    "begin": lambda connection, task: STORE.begin(connection, [task]),
    "note_steps": lambda connection, task: STORE.note_steps(connection, task, {"a": 1}),
    "finish": lambda connection, task: STORE.finish(connection, task, "private"),
    "fail": lambda connection, task: STORE.fail(connection, task, OTHER, "no answer"),
    "put_off": lambda connection, task: STORE.put_off(
        connection, task, datetime(2100, 1, 1, tzinfo=UTC), "no place"
    ),
    "release": lambda connection, task: STORE.release(connection, [task]),
    "wait_for_batch": lambda connection, task: STORE.wait_for_batch(connection, [task], "batch-1"),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("then", ["claimed", "claimed and finished", "claimed and failed", "failed as lost"])
def test_a_late_worker_is_refused(queue: Connection, write: str, then: str) -> None:
    put(queue, "ada")
    late = one(queue)
    lapse(queue)
    if then == "failed as lost":
        queue.execute("update errands set losses = 2, is_begun = true")
    STORE.recover(queue)
    if then != "failed as lost":
        current = one(queue, "another")
        if then == "claimed and finished":
            STORE.finish(queue, current, "private")
        elif then == "claimed and failed":
            STORE.fail(queue, current, OTHER, "no answer")
    before = now(queue, late.id)
    assert not WRITES[write](queue, late)
    assert now(queue, late.id) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_whose_lease_ran_out_may_write_as_long_as_no_other_took_the_task(
    queue: Connection, write: str
) -> None:
    put(queue, "ada")
    task = one(queue)
    lapse(queue)
    assert WRITES[write](queue, task)


@pytest.mark.parametrize("write", WRITES)
def test_a_write_whose_answer_was_lost_may_be_repeated(queue: Connection, write: str) -> None:
    put(queue, "ada")
    task = one(queue)
    answer = WRITES[write](queue, task)
    before = now(queue, task.id)
    assert WRITES[write](queue, task) == answer
    after = now(queue, task.id)
    assert (after.status, after.attempts, after.steps) == (before.status, before.attempts, before.steps)


@pytest.mark.parametrize("second", [name for name in WRITES if name not in ("extend", "note_steps")])
def test_a_worker_ends_its_task_in_one_way_only(queue: Connection, second: str) -> None:
    put(queue, "ada")
    task = one(queue)
    STORE.finish(queue, task)
    assert not WRITES[second](queue, task)
    assert now(queue, task.id).status is DONE


# Outside jobs


def test_a_task_that_waits_for_a_batch_is_never_recovered(queue: Connection) -> None:
    put(queue, "ada", "bea")
    tasks = claimed(queue, "a", 2)
    assert STORE.wait_for_batch(queue, tasks, "batch-1")
    lapse(queue)
    assert STORE.recover(queue) == []
    assert claimed(queue, "b") == []
    [batch] = STORE.batches(queue)
    assert (batch.batch_key, batch.tasks, batch.since) == ("batch-1", 2, tasks[0].started_at)


def test_tasks_wait_for_a_batch_together_or_not_at_all(queue: Connection) -> None:
    put(queue, "ada", "bea")
    tasks = claimed(queue, "a", 2)
    STORE.release(queue, tasks[:1])
    assert not STORE.wait_for_batch(queue, tasks, "batch-1")
    assert STORE.batches(queue) == []
    assert now(queue, tasks[1].id).lease_owner == "a"


def test_the_worker_that_handed_a_task_over_may_not_write_any_more(queue: Connection) -> None:
    put(queue, "ada")
    task = one(queue)
    STORE.wait_for_batch(queue, [task], "batch-1")
    assert not STORE.finish(queue, task)
    assert not STORE.fail(queue, task, OTHER, "late")


def test_a_batch_is_taken_back_once_and_ended_by_its_results(queue: Connection) -> None:
    put(queue, "ada", "bea", "cho")
    STORE.wait_for_batch(queue, claimed(queue, "a", 3), "batch-1")
    taken = STORE.take_back(queue, "collector", "batch-1", 10)
    assert [(task.task_key, task.attempts, task.fence) for task in taken] == [
        ("ada", 1, 2),
        ("bea", 1, 2),
        ("cho", 1, 2),
    ]
    assert STORE.take_back(queue, "another", "batch-1", 10) == []
    assert STORE.take_back(queue, "collector", "batch-1", 10) == taken
    ada, bea, cho = taken
    assert STORE.finish(queue, ada)
    assert STORE.fail(queue, bea, OTHER, "the batch has no answer for it") is PENDING
    assert STORE.release(queue, [cho]) == {cho.id}
    assert now(queue, ada.id).batch_key == "batch-1"
    assert now(queue, bea.id).batch_key is None
    assert keys(STORE.take_back(queue, "later", "batch-1", 10)) == ["cho"]
    assert now(queue, cho.id).attempts == 1


def test_a_collector_that_dies_leaves_its_tasks_waiting_for_their_batch(queue: Connection) -> None:
    put(queue, "ada")
    STORE.wait_for_batch(queue, [one(queue)], "batch-1")
    [late] = STORE.take_back(queue, "collector", "batch-1", 1)
    lapse(queue)
    assert STORE.recover(queue) == []
    assert claimed(queue, "b") == []
    [task] = STORE.take_back(queue, "another", "batch-1", 1)
    assert not STORE.finish(queue, late)
    assert STORE.finish(queue, task)


# Recovery


def test_only_a_task_whose_lease_ran_out_is_recovered(queue: Connection) -> None:
    put(queue, "ada", "bea")
    ada, _ = claimed(queue, "a", 2)
    assert STORE.recover(queue) == []
    STORE.begin(queue, [ada])
    lapse(queue, ada.id)
    [task] = STORE.recover(queue)
    assert (task.id, task.status, task.attempts, task.losses) == (ada.id, PENDING, 0, 1)
    assert keys(claimed(queue, "b")) == ["ada"]


def test_a_task_that_ends_its_worker_each_time_fails_and_says_so(queue: Connection) -> None:
    put(queue, "ada")
    for nth, becomes in enumerate([PENDING, PENDING, FAILED], start=1):
        STORE.begin(queue, [one(queue, f"claim-{nth}")])
        lapse(queue)
        [task] = STORE.recover(queue)
        assert (task.status, task.losses) == (becomes, nth)
    assert task.outcome == WORKER_LOST
    assert task.error_message == "The worker was lost 3 times while it did this task."
    assert claimed(queue, "again") == []


def test_a_lost_worker_says_nothing_of_a_task_that_it_had_not_begun(queue: Connection) -> None:
    put(queue, "ada", "bea")
    for nth in range(10):
        ada, bea = claimed(queue, f"claim-{nth}", 2)
        if nth == 0:
            assert STORE.begin(queue, [ada]) == {ada.id}
        lapse(queue)
        STORE.recover(queue)
    ended = {task.task_key: task for task in (now(queue, ada.id), now(queue, bea.id))}
    assert {key: (task.status, task.losses) for key, task in ended.items()} == {
        "ada": (PENDING, 1),
        "bea": (PENDING, 0),
    }
    assert ended["bea"].error_message is None


def test_recovery_takes_at_most_what_it_is_asked_for(queue: Connection) -> None:
    put(queue, "ada", "bea", "cho")
    claimed(queue, most=3)
    lapse(queue)
    assert [len(STORE.recover(queue, 2)), len(STORE.recover(queue, 2))] == [2, 1]


# A look at the queue


def test_tasks_are_counted_by_type_and_state(queue: Connection) -> None:
    put(queue, "ada", "bea")
    put(queue, "ada", task_type="describe")
    STORE.finish(queue, one(queue))
    assert STORE.counts(queue) == [("describe", PENDING, 1), ("fetch", DONE, 1), ("fetch", PENDING, 1)]


def test_the_oldest_due_task_of_each_type_is_known(queue: Connection) -> None:
    assert STORE.oldest_due(queue) == {}
    ids = put(queue, "ada", "bea", priority=9) + put(queue, "cho", priority=1)
    STORE.put_off(queue, one(queue), datetime(2100, 1, 1, tzinfo=UTC), "no place")
    assert STORE.oldest_due(queue) == {"fetch": now(queue, ids[0]).created_at}


def test_pages_show_every_task_once_the_newest_first(queue: Connection) -> None:
    put(queue, *(f"name-{n}" for n in range(25)))
    put(queue, "ada", task_type="describe")
    STORE.finish(queue, one(queue))
    seen: list[int] = []
    page = STORE.page(queue, 10)
    while page:
        seen += [task.id for task in page]
        page = STORE.page(queue, 10, before=page[-1].id)
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 26
    assert keys(STORE.page(queue, 10, statuses=[DONE])) == ["name-0"]
    assert keys(STORE.page(queue, 10, types=["describe"])) == ["ada"]


# Servers and their settings


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_whatever_isolation_a_server_defaults_to_each_task_is_claimed_once(
    queue_db: ClonedDatabase, queue: Connection, isolation: str
) -> None:
    names = [f"name-{n}" for n in range(100)]
    put(queue, *names)
    set_default = sql.SQL("alter database {} set default_transaction_isolation = {}")
    queue.execute(set_default.format(sql.Identifier(queue.info.dbname), sql.Literal(isolation)))
    together = threading.Barrier(4)

    def work(nth: int) -> list[str]:
        taken: list[str] = []
        together.wait()
        with open_database(queue_db.url, max_connections=1, application_name=f"racer {nth}") as database:
            for n in range(len(names)):
                claim = partial(STORE.claim, claim=f"{nth}-{n}", most=5)
                tasks = patiently_on(database, claim, sleep=lambda _: None)
                taken += keys(tasks)
                if not tasks:
                    break
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sorted(key for taken in pool.map(work, range(4)) for key in taken) == sorted(names)
