"""The table that a domain's migration makes: its needs, its checks, and indexes that keep a large queue quick."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import errors

from entity_pipeline.core.schema_needs import SchemaNeeds
from entity_pipeline.migrations.files import statements
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.shared.tasks import statements as sql_of_the_queue
from entity_pipeline.shared.tasks.store import TaskStore
from entity_pipeline.shared.tasks.table import task_table, task_table_needs
from entity_pipeline_tests.shared.tasks.errands import (
    QUEUE,
    STORE,
    TABLE,
    Connection,
    errand,
    keys,
    make_table,
    one,
    put,
)


def test_making_the_table_again_changes_nothing(queue: Connection) -> None:
    put(queue, "ada")
    make_table(queue)
    assert keys(STORE.page(queue, 10)) == ["ada"]


def test_the_statements_are_read_as_those_of_a_migration() -> None:
    made = list(statements(task_table("tasks")))
    assert len(made) == 13
    assert all(statement.split()[0] in ("create", "alter", "comment") for statement in made)


def test_a_domain_adds_columns_of_its_own_that_follow_the_payload(queue: Connection) -> None:
    queue.execute("create table people (id bigint primary key)")
    queue.execute("insert into people values (7)")
    queue.execute(
        "alter table errands add column person_id bigint generated always as ((payload ->> 'person_id')::bigint) "
        "stored references people (id) on delete cascade"
    )
    put(queue, "ada", payload={"person_id": 7})
    assert one(queue).payload == {"person_id": 7}
    assert queue.execute("select person_id from errands").fetchall() == [(7,)]
    queue.execute("delete from people")
    assert STORE.page(queue, 10) == []


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paused'",
        "status = 'running'",
        "lease_owner = 'me'",
        "lease_owner = 'me', lease_until = now()",
        "batch_key = 'batch-1'",
        "priority = 0",
        "priority = 11",
        "attempts = -1",
    ],
)
def test_the_table_refuses_a_state_that_the_queue_does_not_know(queue: Connection, change: str) -> None:
    put(queue, "ada")
    with pytest.raises(errors.CheckViolation):
        queue.execute(f"update errands set {change}")


# One type and priority has 30,000 tasks that wait, and another type 30,000 that are due.
_MANY = """
insert into errands (task_type, task_key, priority, max_attempts, next_retry_at)
select case when n % 2 = 0 then 'fetch' else 'describe' end, 'name-' || n, 1, 4,
  case when n % 2 = 0 then clock_timestamp() + interval '1 hour' end
from generate_series(1, 60000) n
"""


@pytest.mark.parametrize("is_analysed", [True, False])
def test_a_claim_steps_over_neither_those_that_wait_nor_those_of_another_type(
    queue: Connection, is_analysed: bool
) -> None:
    queue.execute(_MANY)
    if is_analysed:
        queue.execute("vacuum analyze errands")
    for n in range(10):
        put(queue, f"due-{n}", priority=9)
    values = {"claim": "me", "most": 10, "oldest": 2, "types": ["fetch"], "lease": QUEUE.lease}
    assert _pages(queue, sql_of_the_queue.CLAIM, values) < 600
    assert len(queue.execute("select from errands where lease_owner = 'me'").fetchall()) == 10


def _pages(connection: Connection, statement: str, values: dict[str, Any]) -> int:
    """How many pages of the table and its indexes a statement reads."""
    explain = TaskStore(QUEUE)._sql("explain (analyze, buffers, format json) " + statement)
    row = connection.execute(explain, values).fetchone()
    assert row is not None
    plan = (row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_the_oldest_due_and_a_page_are_found_without_reading_all(queue: Connection) -> None:
    queue.execute(_MANY)
    queue.execute("vacuum analyze errands")
    assert _pages(queue, sql_of_the_queue.OLDEST_DUE, {"types": list(QUEUE.types)}) < 200
    page = {
        "types": list(QUEUE.types),
        "statuses": ["pending", "running"],
        "before": 40_000,
        "most": 50,
        "offset": 0,
    }
    assert _pages(queue, sql_of_the_queue.PAGE, page) < 300


def test_a_write_of_a_worker_is_found_by_its_id(queue: Connection) -> None:
    queue.execute(_MANY)
    STORE.create(queue, [errand("ada", 1)])
    task = one(queue)
    values = {"ids": [task.id], "fences": [task.fence], "outcome": None}
    assert _pages(queue, sql_of_the_queue.FINISH, values) < 100


def test_what_is_missing_of_the_table_is_named(queue: Connection) -> None:
    needs = SchemaNeeds(assets={TABLE: task_table_needs(TABLE)})
    assert missing_schema(queue, queue, needs) == []
    queue.execute("drop index errands_due")
    queue.execute("alter table errands drop column steps")
    found = " ".join(map(str, missing_schema(queue, queue, needs)))
    assert "errands_due" in found
    assert "errands.steps" in found


# A task every minute over 41 days, of which one in three has ended.
_DAYS = """
insert into errands (task_type, task_key, priority, max_attempts, created_at, status, completed_at)
select 'fetch', 'name-' || n, 5, 4, timestamptz '2026-10-01 00:00Z' + n * interval '1 minute',
  case when n % 3 = 0 then 'done' else 'pending' end, case when n % 3 = 0 then clock_timestamp() end
from generate_series(0, 60000) n
"""
_OPEN_BY_DAY = "create index on errands (created_at) where status in ('pending', 'running')"


@pytest.mark.parametrize("is_analysed", [True, False])
def test_a_claim_of_a_day_and_its_open_tasks_read_that_day_only(queue: Connection, is_analysed: bool) -> None:
    queue.execute(_OPEN_BY_DAY)
    queue.execute(_DAYS)
    if is_analysed:
        queue.execute("vacuum analyze errands")
    day = {"since": datetime(2026, 10, 20, tzinfo=UTC), "until": datetime(2026, 10, 21, tzinfo=UTC)}
    values = day | {"claim": "me", "most": 10, "types": ["fetch"], "lease": QUEUE.lease}
    assert _pages(queue, sql_of_the_queue.CLAIM_MADE, values) < 600
    assert len(queue.execute("select from errands where lease_owner = 'me'").fetchall()) == 10
    assert _pages(queue, sql_of_the_queue.OPEN_BY_DAY, day | {"types": ["fetch"]}) < 300
