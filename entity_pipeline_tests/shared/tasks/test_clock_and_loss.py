"""The exact moments of leases and waits, on the database's clock alone; and answers lost after their commit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.shared.tasks.rules import TaskStatus
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.simulated_clock import SimulatedClock
from entity_pipeline_tests.shared.tasks.errands import LEASE, OTHER, STORE, Connection, keys, now, one, put

LEASE_S = LEASE.total_seconds()
PENDING, RUNNING, DONE, FAILED = TaskStatus


@pytest.fixture
def clock(queue: Connection) -> SimulatedClock:
    return SimulatedClock(queue, datetime(2026, 6, 10, 12, tzinfo=UTC))


@pytest.mark.parametrize(("seconds", "lost"), [(LEASE_S - 0.001, []), (LEASE_S, ["ada"])])
def test_a_lease_ends_at_its_moment(
    queue: Connection, clock: SimulatedClock, seconds: float, lost: list[str]
) -> None:
    put(queue, "ada")
    one(queue)
    clock.advance(seconds)
    assert keys(STORE.recover(queue)) == lost


@pytest.mark.parametrize(("seconds", "due"), [(299.999, []), (300, ["ada"])])
def test_a_wait_ends_at_its_moment(
    queue: Connection, clock: SimulatedClock, seconds: float, due: list[str]
) -> None:
    put(queue, "ada")
    STORE.fail(queue, one(queue), OTHER, "no answer")
    clock.advance(seconds)
    assert keys(STORE.claim(queue, "again", 1)) == due


@pytest.mark.parametrize("host", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)])
def test_the_clock_of_the_workers_machine_decides_nothing(queue: Connection, host: datetime) -> None:
    put(queue, "ada", "bea")
    with time_machine.travel(host, tick=False):
        ada, bea = STORE.claim(queue, "a", 2)
        assert STORE.recover(queue) == []
        assert STORE.claim(queue, "b", 2) == []
        STORE.extend(queue, [ada])
        STORE.fail(queue, bea, OTHER, "no answer")
        assert STORE.recover(queue) == []
        assert STORE.claim(queue, "c", 2) == []
    row = queue.execute(
        "select bool_and(abs(extract(epoch from at - clock_timestamp())) < 60) from errands, "
        "unnest(array[created_at, started_at, lease_until - %s, next_retry_at - interval '5 minutes']) as at",
        [LEASE],
    ).fetchone()
    assert row == (True,)


class LosingDatabase:
    """Carries a statement out, and the first `lost` times loses the connection before the answer arrives."""

    def __init__(self, database: ClonedDatabase, lost: int = 1) -> None:
        self._database = database
        self.lost = lost

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._database.connection() as connection:
            yield connection
        if self.lost:
            self.lost -= 1
            raise DatabaseUnavailable("The connection ended after the commit.")


def patient(database: LosingDatabase, action: Any) -> Any:
    return patiently_on(database, action, sleep=lambda _: None)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_claim_whose_answer_was_lost_is_repeated_without_taking_more(
    queue_db: ClonedDatabase, queue: Connection, lost: int
) -> None:
    put(queue, "ada", "bea", "cho", "dan")
    database = LosingDatabase(queue_db, lost)
    tasks = patient(database, lambda connection: STORE.claim(connection, "mine", 2))
    assert database.lost == 0
    assert keys(tasks) == ["ada", "bea"]
    assert {(task.fence, task.attempts) for task in tasks} == {(1, 1)}
    assert keys(STORE.claim(queue, "another", 9)) == ["cho", "dan"]


def test_every_write_of_a_life_may_lose_its_answer(queue_db: ClonedDatabase, queue: Connection) -> None:
    put(queue, "ada", "bea")
    database = LosingDatabase(queue_db)

    def losing(action: Any) -> Any:
        database.lost = 1
        return patient(database, action)

    ada, bea = losing(lambda connection: STORE.claim(connection, "mine", 2))
    assert losing(lambda connection: STORE.note_steps(connection, ada, {"profile": 1}))
    assert losing(lambda connection: STORE.extend(connection, [ada, bea])) == {ada.id, bea.id}
    assert losing(lambda connection: STORE.finish(connection, ada))
    assert losing(lambda connection: STORE.fail(connection, bea, OTHER, "no answer")) is PENDING
    queue.execute(
        "update errands set next_retry_at = clock_timestamp() - interval '1 s' where status = 'pending'"
    )
    [bea] = losing(lambda connection: STORE.claim(connection, "again", 1))
    assert bea.attempts == 2
    assert losing(lambda connection: STORE.wait_for_batch(connection, [bea], "batch-1"))
    [bea] = losing(lambda connection: STORE.take_back(connection, "collector", "batch-1", 1))
    assert bea.fence == 3
    assert losing(lambda connection: STORE.finish(connection, bea))
    assert {task.status for task in STORE.page(queue, 9)} == {DONE}


def test_a_claim_that_is_still_under_way_when_it_is_repeated_costs_a_lease_and_no_task(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada", "bea")
    with queue_db.connection() as slow, slow.transaction():
        assert keys(STORE.claim(slow, "mine", 1)) == ["ada"]
        assert keys(STORE.claim(queue, "mine", 1)) == ["bea"]
    assert sorted(keys(STORE.claim(queue, "mine", 1))) == ["ada", "bea"]


def test_a_write_waits_for_the_one_that_decides_whether_it_is_late(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put(queue, "ada")
    task = one(queue)
    queue.execute("update errands set lease_until = clock_timestamp()")
    answers: list[bool] = []

    def finish() -> None:
        with queue_db.connection() as connection:
            answers.append(STORE.finish(connection, task))

    with queue_db.connection() as recovering, recovering.transaction():
        assert keys(STORE.recover(recovering)) == ["ada"]
        worker = threading.Thread(target=finish)
        worker.start()
        worker.join(0.3)
        assert worker.is_alive()
    worker.join(20)
    assert answers == [False]
    assert now(queue, task.id).status is PENDING
