"""Runs of the queue in Dagster: what they work on, which days turn green, and the reason where they don't."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest

from entity_pipeline.domains.influencers.jobs import SCRAPED
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.partitions import FIRST_DAY
from entity_pipeline.domains.influencers.queue.held import HELD_TAG
from entity_pipeline.shared.tasks.rules import NewTask, TaskStatus
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import reasons
from entity_pipeline_tests.domains.influencers.graph import Graph, graph
from entity_pipeline_tests.domains.influencers.ground import blogger, ground
from entity_pipeline_tests.resources.instagram.instagram_row import OPEN, changed

MONDAY, TUESDAY, WEDNESDAY = (FIRST_DAY + timedelta(days=days) for days in (4, 5, 6))
PEOPLE = [blogger(name, pk=100 + nth) for nth, name in enumerate(["ada", "bea", "cho"])]
TAGS = {"seoul": [("ada", 0), ("bea", 0)], "busan": [("cho", 0)]}


def at(day: date) -> datetime:
    return datetime.combine(day, time(9), UTC)


def tag(name: str) -> NewTask:
    return NewTask(TaskType.DISCOVER, name, 10)


@pytest.fixture
def queue(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    """One hashtag made on Monday, one on Tuesday."""
    with ground(assets_db, PEOPLE, TAGS) as made, graph(assets_db, operation_db, made) as found:
        made.put(tag("seoul"))
        found.made_on(at(MONDAY))
        made.put(tag("busan"))
        found.made_on(at(TUESDAY))
        yield found


def statuses(queue: Graph) -> dict[str, TaskStatus]:
    return {
        task.task_key: task.status for task in queue.ground.tasks() if task.task_type == TaskType.DISCOVER
    }


def test_a_run_works_on_the_tasks_of_all_days_and_reports_the_days_that_have_ended(queue: Graph) -> None:
    queue.run()
    assert set(statuses(queue).values()) == {TaskStatus.DONE}
    assert queue.green("hashtag_discoveries") == {MONDAY, TUESDAY}
    assert queue.observation("scrape_tasks")["tasks"] != "none"


def test_a_day_turns_green_only_with_the_last_of_its_tasks(queue: Graph) -> None:
    queue.ground.put(tag("jeju"))
    queue.made_on(at(MONDAY))
    queue.ground.settings(tasks_per_tick=1, min_followers=1_000_000)
    queue.run()
    assert queue.green("hashtag_discoveries") == set()
    queue.run()
    queue.run()
    assert queue.green("hashtag_discoveries") == {MONDAY, TUESDAY}


def test_a_run_over_chosen_days_works_on_their_tasks_only(queue: Graph) -> None:
    queue.materialize("hashtag_discoveries", first=MONDAY)
    assert statuses(queue) == {"seoul": TaskStatus.DONE, "busan": TaskStatus.PENDING}
    assert queue.green("hashtag_discoveries") == {MONDAY}
    queue.materialize("hashtag_discoveries", first=TUESDAY, last=WEDNESDAY)
    assert statuses(queue)["busan"] is TaskStatus.DONE
    assert queue.green("hashtag_discoveries") == {MONDAY, TUESDAY, WEDNESDAY}


def test_a_chosen_day_with_tasks_left_stays_open_with_the_reason_and_other_days_turn_green(
    queue: Graph,
) -> None:
    queue.ground.instagram(changed(OPEN, per_hour=1))
    result = queue.materialize("hashtag_discoveries", first=MONDAY, last=WEDNESDAY)
    assert queue.green("hashtag_discoveries") == {WEDNESDAY}
    seen = queue.observation("hashtag_discoveries")
    assert seen["tasks_left"] == 1
    assert "Every account of the pool" in seen["held_because"]
    assert not any(event.is_step_failure for event in result.all_events)


def test_one_run_turns_a_chosen_day_of_blogs_green_with_its_posts_and_highlights(queue: Graph) -> None:
    queue.ground.blog("ada")
    queue.made_on(at(MONDAY))
    queue.ground.blog("bea")
    queue.made_on(at(TUESDAY))
    queue.materialize(*SCRAPED, first=MONDAY)
    assert queue.ground.rows("select username, scrape_status from blogs order by 1") == [
        ("ada", "active"),
        ("bea", "pending"),
    ]
    assert [queue.green(asset) for asset in SCRAPED] == [{MONDAY}] * 3
    queue.ground.instagram(changed(OPEN, per_hour=1))
    queue.materialize(*SCRAPED, first=MONDAY, last=TUESDAY)
    assert [queue.green(asset) for asset in SCRAPED] == [{MONDAY}] * 3
    assert [queue.observation(asset)["tasks_left"] for asset in SCRAPED] == [1] * 3
    queue.ground.instagram()
    queue.ground.wake()
    queue.run()
    assert [queue.green(asset) for asset in SCRAPED] == [{MONDAY, TUESDAY}] * 3


def test_a_run_without_budget_ends_in_words_and_tells_the_sensor_when_to_look_again(queue: Graph) -> None:
    queue.ground.instagram(changed(OPEN, per_hour=1))
    result = queue.run()
    [run] = queue.instance.get_runs()
    assert datetime.fromisoformat(run.tags[HELD_TAG]) > datetime.now(UTC)
    held = [
        event.step_output_data.metadata["held_because"].value
        for event in result.all_events
        if event.is_successful_output
    ]
    assert held[0].startswith("Every account of the pool")
    assert "Next try" in held[0]
    assert {(task.status, task.attempts) for task in queue.ground.tasks()} == {(TaskStatus.PENDING, 0)}


def test_the_first_partition_has_the_tasks_of_earlier_days(queue: Graph) -> None:
    queue.ground.put(tag("jeju"))
    queue.made_on(at(FIRST_DAY - timedelta(days=40)))
    queue.materialize("hashtag_discoveries", first=FIRST_DAY)
    assert statuses(queue)["jeju"] is TaskStatus.DONE
    assert statuses(queue)["seoul"] is TaskStatus.PENDING
    assert queue.green("hashtag_discoveries") == {FIRST_DAY}


@pytest.mark.parametrize(
    ("on", "terms", "said"),
    [(False, True, "influencers' is switched off"), (True, False, "terms")],
    ids=["switched off", "terms not acknowledged"],
)
def test_a_run_that_begins_while_it_may_not_fails_with_the_reason_and_takes_no_task(
    queue: Graph, on: bool, terms: bool, said: str
) -> None:
    queue.ground.settings(on=on)
    queue.ground.instagram(terms=terms)
    for result in (
        queue.run(succeeds=False),
        queue.materialize("hashtag_discoveries", first=MONDAY, succeeds=False),
    ):
        assert said in reasons(result)[0]
    assert {(task.status, task.attempts, task.fence) for task in queue.ground.tasks()} == {("pending", 0, 0)}
    assert queue.ground.requests() == []


def test_a_missing_table_fails_the_run_and_is_booked_on_no_task(queue: Graph) -> None:
    with queue.ground.database.connection() as connection:
        connection.execute("drop table hashtag_discoveries")
    result = queue.run(succeeds=False)
    assert "hashtag_discoveries" in reasons(result)[0]
    assert {
        (task.status, task.attempts) for task in queue.ground.tasks() if task.task_type == "discover"
    } == {(TaskStatus.PENDING, 0)}
