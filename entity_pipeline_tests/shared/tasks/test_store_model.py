"""The queue against a model of it: any order of claims, writes, late writes, crashes, batches and recoveries.

The model is a list in Python that knows nothing of the SQL; both stand on one clock that only the model moves. At the
end of each run every task is worked off, so none may be lost. Repeat a run with `--hypothesis-seed`;
TASK_MODEL_RUNS=500 asks for more than those of every day.
"""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from entity_pipeline.shared.tasks.rules import Task, TaskStatus, places_of_the_oldest, wait_after
from entity_pipeline.shared.tasks.store import WORKER_LOST, TaskStore
from entity_pipeline_tests.resources.gemini.simulated_clock import SimulatedClock
from entity_pipeline_tests.shared.tasks.errands import (
    COOLING,
    LEASE,
    OTHER,
    POLICIES,
    QUEUE,
    Connection,
    errand,
    keys,
)

RUNS = int(os.environ.get("TASK_MODEL_RUNS", "25"))
STEPS = 50
PENDING, RUNNING, DONE, FAILED = TaskStatus
MAY_BECOME = {PENDING: {RUNNING}, RUNNING: {PENDING, DONE, FAILED}, DONE: set(), FAILED: set()}

KEYS = st.sampled_from(["ada", "bea", "cho"])
TYPES = st.sampled_from(QUEUE.types)
NTH = st.integers(0, 7)  # of what workers were given, counted from the newest
BATCHES = st.sampled_from(["batch-1", "batch-2"])


@dataclass
class Row:
    """A task as the model sees it; the names are those of the columns."""

    task_type: str
    task_key: str
    priority: int
    created_at: datetime
    status: TaskStatus = PENDING
    attempts: int = 0
    losses: int = 0
    fence: int = 0
    is_begun: bool = False
    lease_owner: str | None = None
    lease_until: datetime | None = None
    batch_key: str | None = None
    outcome: str | None = None
    next_retry_at: datetime | None = None
    deferred_until: datetime | None = None
    steps: dict[str, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.status in (PENDING, RUNNING)

    @property
    def due_at(self) -> datetime:
        return self.deferred_until or self.next_retry_at or self.created_at

    def become(self, status: TaskStatus, **changes: Any) -> None:
        """Not held any more, and in another state."""
        assert status in MAY_BECOME[self.status]
        self.status, self.lease_owner, self.lease_until = status, None, None
        for name, value in changes.items():
            setattr(self, name, value)


COMPARED = [*(name for name in Row.__dataclass_fields__ if name != "is_begun"), "due_at"]


class QueueMachine(RuleBasedStateMachine):
    """One queue with its clock, and what the model says of it."""

    def __init__(self, connection: Connection, clock: SimulatedClock) -> None:
        super().__init__()
        connection.execute("truncate errands")
        self.connection, self.clock = connection, clock
        self.rows: dict[int, Row] = {}
        self.given: list[Task] = []
        self.claims = 0

    # What the model expects

    def due(self, types: tuple[str, ...]) -> list[int]:
        """Due tasks, those due longest first."""
        due = [
            (row.due_at, id_)
            for id_, row in self.rows.items()
            if row.status is PENDING and row.task_type in types and row.due_at <= self.clock.now
        ]
        return [id_ for _, id_ in sorted(due)]

    def is_held(self, task: Task) -> bool:
        row = self.rows[task.id]
        return row.fence == task.fence and row.lease_owner is not None

    def already(self, task: Task, **values: Any) -> bool:
        """Whether the task looks as after the same write under the same fence."""
        row = self.rows[task.id]
        return row.fence == task.fence and all(getattr(row, name) == value for name, value in values.items())

    def task(self, nth: int) -> Task:
        return self.given[-1 - nth % len(self.given)]

    def has_given(self) -> bool:
        return bool(self.given)

    # What happens

    @rule(key=KEYS, task_type=TYPES, priority=st.integers(1, 10))
    def create(self, key: str, task_type: str, priority: int) -> None:
        there = [
            (id_, row)
            for id_, row in self.rows.items()
            if row.is_open and (row.task_type, row.task_key) == (task_type, key)
        ]
        [created] = TaskStore(QUEUE).create(self.connection, [errand(key, priority, task_type)])
        assert created.is_new is not bool(there)
        if created.is_new:
            assert created.id not in self.rows
            self.rows[created.id] = Row(task_type, key, priority, self.clock.now)
        else:
            [(id_, row)] = there
            assert created.id == id_
            if row.status is PENDING:
                row.priority = min(row.priority, priority)

    @rule(
        most=st.sampled_from([1, 2, 3, 12]),
        drawn=st.sampled_from([0.0, 0.85, 0.99]),
        types=st.sampled_from([("fetch",), ("describe",), ("fetch", "describe")]),
        is_repeated=st.booleans(),
    )
    def claim(self, most: int, drawn: float, types: tuple[str, ...], is_repeated: bool) -> None:
        self.claims += 1
        name = f"claim-{self.claims}"
        due = self.due(types)
        oldest = due[: places_of_the_oldest(most, drawn)]
        rest = sorted(
            (id_ for id_ in due if id_ not in oldest),
            key=lambda id_: (self.rows[id_].priority, due.index(id_)),
        )
        expected = oldest + rest[: most - len(oldest)]
        store = TaskStore(QUEUE, draw=lambda: drawn)
        tasks = store.claim(self.connection, name, most, types)
        assert [task.id for task in tasks] == expected
        for id_ in expected:
            row = self.rows[id_]
            row.become(RUNNING, next_retry_at=None, deferred_until=None)
            row.lease_owner, row.lease_until = name, self.clock.now + LEASE
            row.fence, row.attempts, row.is_begun = row.fence + 1, row.attempts + 1, False
        if is_repeated and tasks:
            again = store.claim(self.connection, name, most, types)
            assert sorted(keys(again)) == sorted(keys(tasks))
        self.given += tasks

    @precondition(has_given)
    @rule(nth=NTH)
    def extend(self, nth: int) -> None:
        task = self.task(nth)
        held = self.is_held(task)
        assert TaskStore(QUEUE).extend(self.connection, [task]) == ({task.id} if held else set())
        if held:
            self.rows[task.id].lease_until = self.clock.now + LEASE

    @precondition(has_given)
    @rule(nth=NTH)
    def begin(self, nth: int) -> None:
        task = self.task(nth)
        held = self.is_held(task)
        assert TaskStore(QUEUE).begin(self.connection, [task]) == ({task.id} if held else set())
        if held:
            self.rows[task.id].is_begun = True

    @precondition(has_given)
    @rule(nth=NTH, step=st.sampled_from(["profile", "posts"]), value=st.integers(0, 3))
    def note_steps(self, nth: int, step: str, value: int) -> None:
        task = self.task(nth)
        assert TaskStore(QUEUE).note_steps(self.connection, task, {step: value}) is self.is_held(task)
        if self.is_held(task):
            self.rows[task.id].steps[step] = value

    @precondition(has_given)
    @rule(nth=NTH, outcome=st.sampled_from([None, "private"]))
    def finish(self, nth: int, outcome: str | None) -> None:
        task = self.task(nth)
        held = self.is_held(task)
        done = TaskStore(QUEUE).finish(self.connection, task, outcome)
        assert done is (held or self.already(task, status=DONE, outcome=outcome))
        if held:
            self.rows[task.id].become(DONE, outcome=outcome)

    @precondition(has_given)
    @rule(nth=NTH, kind=st.sampled_from([COOLING, OTHER]))
    def fail(self, nth: int, kind: str) -> None:
        task, row = self.task(nth), self.rows[self.task(nth).id]
        wait = wait_after(POLICIES[kind], task.attempts, 4)
        held = self.is_held(task)
        if wait is None:
            accepted = held or self.already(task, status=FAILED, outcome=kind)
        else:
            accepted = held or (self.already(task, status=PENDING) and row.next_retry_at is not None)
        becomes = TaskStore(QUEUE).fail(self.connection, task, kind, "no answer")
        assert becomes == ((FAILED if wait is None else PENDING) if accepted else None)
        if held and wait is None:
            row.become(FAILED, outcome=kind)
        elif held and wait is not None:
            row.become(PENDING, next_retry_at=self.clock.now + wait, batch_key=None)

    @precondition(has_given)
    @rule(nth=NTH, minutes=st.sampled_from([-1, 0, 10, 300]))
    def put_off(self, nth: int, minutes: int) -> None:
        task, row = self.task(nth), self.rows[self.task(nth).id]
        until = self.clock.now + timedelta(minutes=minutes)
        held = self.is_held(task)
        accepted = held or (self.already(task, status=PENDING) and row.deferred_until is not None)
        assert TaskStore(QUEUE).put_off(self.connection, task, until, "no place") is accepted
        if held:
            row.become(PENDING, deferred_until=until, batch_key=None, attempts=row.attempts - 1)

    @precondition(has_given)
    @rule(nth=NTH)
    def release(self, nth: int) -> None:
        task, row = self.task(nth), self.rows[self.task(nth).id]
        held = self.is_held(task)
        accepted = held or (row.fence == task.fence and row.is_open and row.lease_owner is None)
        assert TaskStore(QUEUE).release(self.connection, [task]) == ({task.id} if accepted else set())
        if held and row.batch_key is None:
            row.become(PENDING, attempts=row.attempts - 1)
        elif held:
            row.lease_owner = row.lease_until = None

    @precondition(has_given)
    @rule(first=NTH, second=NTH, batch=BATCHES)
    def wait_for_batch(self, first: int, second: int, batch: str) -> None:
        tasks = {task.id: task for task in (self.task(first), self.task(second))}.values()
        held = all(self.is_held(task) for task in tasks)
        already = all(self.already(task, status=RUNNING, batch_key=batch, lease_owner=None) for task in tasks)
        written = TaskStore(QUEUE).wait_for_batch(self.connection, list(tasks), batch)
        assert written is (held or already)
        for task in tasks if held else ():
            row = self.rows[task.id]
            row.batch_key, row.lease_owner, row.lease_until = batch, None, None

    @rule(batch=BATCHES, most=st.integers(1, 3))
    def take_back(self, batch: str, most: int) -> None:
        self.claims += 1
        name = f"claim-{self.claims}"
        waiting = [
            id_
            for id_, row in sorted(self.rows.items())
            if row.status is RUNNING
            and row.batch_key == batch
            and (row.lease_until is None or row.lease_until <= self.clock.now)
        ]
        tasks = TaskStore(QUEUE).take_back(self.connection, name, batch, most)
        assert [task.id for task in tasks] == waiting[:most]
        for task in tasks:
            row = self.rows[task.id]
            row.lease_owner, row.lease_until = name, self.clock.now + LEASE
            row.fence += 1
        self.given += tasks

    @rule()
    def recover(self) -> None:
        lost = {
            id_
            for id_, row in self.rows.items()
            if row.lease_until and row.lease_until <= self.clock.now and not row.batch_key
        }
        assert {task.id for task in TaskStore(QUEUE).recover(self.connection)} == lost
        for id_ in lost:
            row = self.rows[id_]
            row.losses, row.attempts = row.losses + row.is_begun, row.attempts - 1
            if row.losses < QUEUE.most_losses:
                row.become(PENDING)
            else:
                row.become(FAILED, outcome=WORKER_LOST)

    @rule(minutes=st.sampled_from([1, 5, 15, 29, 30, 45]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(60 * minutes)

    # What always holds

    @invariant()
    def the_table_is_as_the_model_says(self) -> None:
        stored = {task.id: task for task in TaskStore(QUEUE).page(self.connection, 10_000)}
        assert stored.keys() == self.rows.keys()
        for id_, row in self.rows.items():
            assert {name: getattr(stored[id_], name) for name in COMPARED} == {
                name: getattr(row, name) for name in COMPARED
            }

    def teardown(self) -> None:
        """Work off everything: nothing may be left behind."""
        for _ in range(20):
            self.clock.advance(3600 * 6)
            TaskStore(QUEUE).recover(self.connection)
            tasks = TaskStore(QUEUE).claim(self.connection, f"end-{self.clock.now}", 1_000)
            for batch in TaskStore(QUEUE).batches(self.connection):
                tasks += TaskStore(QUEUE).take_back(
                    self.connection, f"end-{self.clock.now}-{batch.batch_key}", batch.batch_key, 1_000
                )
            assert all(TaskStore(QUEUE).finish(self.connection, replace(task)) for task in tasks)
            if not tasks:
                break
        assert {count.status for count in TaskStore(QUEUE).counts(self.connection)} <= {DONE, FAILED}


@pytest.mark.timeout(120 + 5 * RUNS)
def test_any_order_of_events_leaves_the_table_as_the_model_says(queue: Connection) -> None:
    clock = SimulatedClock(queue, datetime(2026, 6, 10, 12, tzinfo=UTC))
    run_state_machine_as_test(
        lambda: QueueMachine(queue, clock),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
