"""Claims of the tasks that were made in a span of time, and how many of each day are open."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.tasks.errands import (
    OTHER,
    STORE,
    Connection,
    claimed,
    keys,
    lapse,
    one,
    put,
)

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def put_on(connection: Connection, at: datetime, *names: str, task_type: str = "fetch") -> None:
    """Tasks that were made then, a second apart."""
    for nth, id_ in enumerate(put(connection, *names, task_type=task_type)):
        connection.execute(
            "update errands set created_at = %s where id = %s", [at + nth * timedelta(seconds=1), id_]
        )


def test_only_tasks_of_the_span_are_claimed_from_its_first_instant_to_before_its_last(
    queue: Connection,
) -> None:
    put_on(queue, MONDAY - timedelta(seconds=1), "sunday")
    put_on(queue, MONDAY, "first", "second", "third")
    put_on(queue, MONDAY + DAY, "tuesday")
    span = MONDAY, MONDAY + DAY
    tasks = STORE.claim_made(queue, "a", 2, span)
    assert keys(tasks) == ["first", "second"]
    assert {(task.status, task.attempts, task.fence) for task in tasks} == {("running", 1, 1)}
    assert keys(STORE.claim_made(queue, "b", 9, span)) == ["third"]
    assert STORE.claim_made(queue, "c", 9, span) == []
    assert sorted(keys(claimed(queue, "all", 9))) == ["sunday", "tuesday"]


def test_a_claim_of_a_span_takes_what_is_due_and_of_its_types_whatever_the_priority(
    queue: Connection,
) -> None:
    put_on(queue, MONDAY, "described", task_type="describe")
    put_on(queue, MONDAY, "waits", "low", "urgent")
    queue.execute("update errands set priority = 1 where task_key = 'urgent'")
    queue.execute("update errands set next_retry_at = 'infinity' where task_key = 'waits'")
    assert keys(STORE.claim_made(queue, "a", 9, (MONDAY, MONDAY + DAY), ["fetch"])) == ["low", "urgent"]


def test_a_claim_of_a_span_that_is_repeated_gets_the_same_tasks_and_no_others(queue: Connection) -> None:
    put_on(queue, MONDAY, "ada", "bea", "cho")
    span = MONDAY, MONDAY + DAY
    first = STORE.claim_made(queue, "mine", 2, span)
    assert STORE.claim_made(queue, "mine", 2, span) == first
    assert keys(STORE.claim_made(queue, "another", 2, span)) == ["cho"]


def test_several_who_claim_one_span_and_the_whole_queue_take_each_task_once(
    queue_db: ClonedDatabase, queue: Connection
) -> None:
    put_on(queue, MONDAY, *(f"name-{n}" for n in range(200)))

    def work(nth: int) -> list[int]:
        taken: list[int] = []
        with queue_db.connection() as connection:
            for round_ in range(100):
                claim = f"{nth}/{round_}"
                tasks = (
                    STORE.claim_made(connection, claim, 3, (MONDAY, MONDAY + DAY))
                    if nth % 2
                    else STORE.claim(connection, claim, 3)
                )
                taken += [task.id for task in tasks]
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(id_ for ids in pool.map(work, range(8)) for id_ in ids)
    assert len(taken) == 200
    assert set(taken.values()) == {1}


def test_open_tasks_are_counted_by_the_utc_day_on_which_they_were_made(queue: Connection) -> None:
    put_on(queue, MONDAY - timedelta(seconds=1), "sunday")
    put_on(queue, MONDAY, "running", "failed", "done", "waits")
    put_on(queue, MONDAY, "described", task_type="describe")
    put_on(queue, MONDAY + 3 * DAY - timedelta(seconds=1), "wednesday")
    span = MONDAY, MONDAY + 3 * DAY
    _, failed, done, waits = STORE.claim_made(queue, "a", 4, span, ["fetch"])
    STORE.finish(queue, done)
    STORE.put_off(queue, waits, datetime.max.replace(tzinfo=UTC), "no place")
    STORE.fail(queue, failed, OTHER, "no answer")
    queue.execute("update errands set status = 'failed' where id = %s", [failed.id])
    # Whatever the session thinks of days.
    queue.execute("set timezone to 'Asia/Seoul'")
    assert STORE.open_by_day(queue, span, ["fetch"]) == {date(2026, 11, 2): 2, date(2026, 11, 4): 1}
    assert STORE.open_by_day(queue, span) == {date(2026, 11, 2): 3, date(2026, 11, 4): 1}
    days = [(MONDAY + n * DAY, MONDAY + (n + 1) * DAY) for n in (2, 1, 0)]
    assert STORE.with_open(queue, days) == [True, False, True]
    assert STORE.with_open(queue, days, ["describe"]) == [False, False, True]
    assert STORE.with_open(queue, []) == []


def test_lapsed_are_those_that_recovery_would_take_up(queue: Connection) -> None:
    put(queue, "ada", "bea", "cho")
    one(queue, "a")
    gone = one(queue, "b")
    batched = one(queue, "c")
    STORE.wait_for_batch(queue, [batched], "a batch")
    assert STORE.lapsed(queue) == 0
    lapse(queue, gone.id)
    assert STORE.lapsed(queue) == 1
    assert len(STORE.recover(queue)) == 1
    assert STORE.lapsed(queue) == 0
