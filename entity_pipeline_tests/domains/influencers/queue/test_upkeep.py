"""The jobs that keep the queue going, in Dagster on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.queue.queries.due_blogs import due_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.runs.partitions import last_day
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import reasons
from entity_pipeline_tests.domains.influencers.graph import Graph, graph
from entity_pipeline_tests.domains.influencers.ground import blogger, ground

UPDATES, RECOVERY, WEEKLY = (
    f"influencers_{name}_job" for name in ("schedule_updates", "recover_tasks", "discover_weekly")
)


@pytest.fixture
def queue(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with ground(assets_db, [blogger("ada")], {"seoul": [("ada", 0)]}) as made:
        with graph(assets_db, operation_db, made) as found:
            yield found


def blogs(queue: Graph, count: int, status: str = "active", days: float = 61) -> None:
    """So many blogs that were scraped so long ago, the first of them first."""
    queue.ground.rows(
        f"with p as (insert into persons select from generate_series(1, {count}) returning id), "
        "n as (select id, row_number() over () as n from p) "
        "insert into blogs (person_id, username, scrape_status, scraped_at) "
        f"select id, '{status}_' || n, '{status}', now() - interval '{days} days' + n * interval '1 ms' "
        "from n returning id"
    )


def updates(queue: Graph) -> list[Any]:
    return queue.ground.rows(
        "select username, priority from scrape_tasks t join blogs b on b.id = t.blog_id "
        "where task_type = 'full_scrape' order by t.created_at"
    )


def test_blogs_that_were_scraped_too_long_ago_get_one_task_each(queue: Graph) -> None:
    for status in ("active", "analyzing", "private", "pending", "scraping", "deleted", "failed"):
        blogs(queue, 2, status)
    queue.run(UPDATES)
    queue.run(UPDATES)
    assert sorted(updates(queue)) == sorted(
        (f"{status}_{n}", Priority.UPDATE) for status in ("active", "analyzing", "private") for n in (1, 2)
    )


def test_the_age_is_that_of_the_settings(queue: Graph) -> None:
    blogs(queue, 1, days=29)
    blogs(queue, 1, "private", days=31)
    queue.run(UPDATES)
    assert updates(queue) == []
    queue.ground.settings(rescrape_after_days=30)
    queue.run(UPDATES)
    assert updates(queue) == [("private_1", Priority.UPDATE)]


def test_a_blog_with_an_open_task_gets_no_second_one_and_keeps_its_priority(queue: Graph) -> None:
    blogs(queue, 1)
    [(blog,)] = queue.ground.rows("select id from blogs")
    queue.ground.put(NewTask(TaskType.FULL_SCRAPE, str(blog), 2))
    queue.run(UPDATES)
    assert updates(queue) == [("active_1", 2)]


def test_many_due_blogs_are_found_in_lists_without_gaps(queue: Graph) -> None:
    blogs(queue, 2_500)
    with queue.ground.database.connection() as connection:
        lists = list(due_blogs(connection, timedelta(days=60), 1_000))
    assert [len(ids) for ids in lists] == [1_000, 1_000, 500]
    assert len({id_ for ids in lists for id_ in ids}) == 2_500
    queue.run(UPDATES)
    assert len(updates(queue)) == 2_500


def test_past_days_that_a_dead_run_did_not_report_turn_green_in_the_night(queue: Graph) -> None:
    today = last_day(datetime.now(UTC))
    ended, open_ = today - timedelta(days=5), today - timedelta(days=3)
    for day, tag in ((ended, "seoul"), (open_, "busan"), (today, "jeju")):
        queue.ground.put(NewTask(TaskType.DISCOVER, tag, 10))
        queue.ground.rows(
            f"update scrape_tasks set created_at = '{datetime.combine(day, time(9), UTC)}' "
            f"where task_key = '{tag}' returning id"
        )
    queue.ground.rows(
        "update scrape_tasks set status = 'done', completed_at = now() where task_key <> 'busan' returning id"
    )
    queue.run(UPDATES)
    without = {open_, today}
    expected = {ended + timedelta(days=n) for n in range(5)}
    assert queue.green("hashtag_discoveries") == expected - without
    assert queue.green("blogs") == queue.green("blog_highlights") == expected
    before = len(queue.instance.get_runs())
    result = queue.run(UPDATES)
    assert not [event for event in result.all_events if event.is_step_materialization]
    assert len(queue.instance.get_runs()) == before + 1


def test_an_empty_queue_turns_no_day_green(queue: Graph) -> None:
    queue.run(UPDATES)
    assert queue.green("blogs") == set()


def test_recovery_puts_back_lost_tasks_and_leaves_those_of_a_batch(queue: Graph) -> None:
    queue.ground.put(*(NewTask(TaskType.DISCOVER, tag, 10) for tag in ("lost", "held", "batched")))
    lost, held, batched = queue.ground.claim(3)
    with queue.ground.database.connection() as connection:
        STORE.begin(connection, [lost])
        STORE.wait_for_batch(connection, [batched], "a batch")
        connection.execute(
            "update scrape_tasks set lease_until = now() - interval '1 hour' where id = %s", [lost.id]
        )
    queue.run(RECOVERY)
    found = {task.task_key: (task.status.value, task.losses, task.attempts) for task in queue.ground.tasks()}
    assert found == {"lost": ("pending", 1, 0), "held": ("running", 0, 1), "batched": ("running", 0, 1)}
    assert held.task_key == "held"


def test_each_hashtag_of_the_settings_has_one_task_a_week(queue: Graph) -> None:
    queue.ground.settings(discover_hashtags=["Seoul", "busan", "seoul"])
    queue.run(WEEKLY)
    queue.run(WEEKLY)
    found = sorted((task.task_key, task.priority) for task in queue.ground.tasks())
    assert found == [("busan", 10), ("seoul", 10)]


@pytest.mark.parametrize("job", [UPDATES, WEEKLY])
def test_a_job_that_begins_while_the_domain_is_off_fails_with_the_reason(queue: Graph, job: str) -> None:
    queue.ground.settings(on=False)
    assert "switched off" in reasons(queue.run(job, succeeds=False))[0]
