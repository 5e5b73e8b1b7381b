"""The task `discover` on a real database and against the stand-in: whom it takes in, what it asks, and crashes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from threading import Event
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.profile import ProfileById
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.discovery.discover import discover
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.queries.new_blogs import Named, find_or_add
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import NewTask, Task, TaskStatus
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.ground import Ground, blogger, ground
from entity_pipeline_tests.resources.instagram.instagram_row import OPEN, changed

PEOPLE = [
    blogger("ada", pk=101),
    blogger("bea", pk=102, followers=999),
    blogger("cho", pk=103, posts=4),
    blogger("dan", pk=104, behaviour="private"),
    blogger("eve", pk=105, followers=1_000, posts=5),
    blogger("fay", pk=106, behaviour="not_found"),
    blogger("gil", pk=107),  # known
    blogger("hye", pk=108),  # erased
    blogger("ivy", pk=109, behaviour="drift"),
]
# 30 posts on two pages; the captions do not have the tag.
TAGS = {"seoul": [(PEOPLE[nth % 9].username, nth // 9) for nth in range(30)]}
NEW = {"101", "102", "103", "104", "105", "106", "109"}


@pytest.fixture
def seoul(assets_db: ClonedDatabase) -> Iterator[Ground]:
    with ground(assets_db, PEOPLE, TAGS) as made:
        with assets_db.connection() as connection, connection.transaction():
            find_or_add(connection, [Named("gil", 107)], "manual")
        with assets_db.connection() as connection:
            connection.execute(
                "insert into erased_people (platform, subject_hash, erased_by) values ('instagram', %s, 'a test')",
                [hashes(108, None)[0]],
            )
        made.put(NewTask(TaskType.DISCOVER, "seoul", 10))
        yield made


def hashtag(made: Ground) -> Task:
    """The next task `discover`, claimed."""
    [task] = made.claim(1, token_hex(4), [TaskType.DISCOVER])
    return task


def discoveries(seoul: Ground) -> list[tuple[Any, ...]]:
    return seoul.rows("select hashtag, posts, people, known, refused, added from hashtag_discoveries")


def taken_in(seoul: Ground) -> list[tuple[Any, ...]]:
    return seoul.rows(
        "select username, platform_id, source, scrape_status, priority, status from blogs b "
        "join scrape_tasks t on t.blog_id = b.id and task_type = 'full_scrape' order by 1"
    )


ADDED = [
    ("ada", 101, "discover:seoul", "pending", 5, "pending"),
    ("eve", 105, "discover:seoul", "pending", 5, "pending"),
]


def test_public_people_who_are_large_enough_are_taken_in_and_each_new_one_is_looked_at_once(
    seoul: Ground,
) -> None:
    task = hashtag(seoul)
    assert discover(task, seoul.work()) == Done("discovered")
    assert taken_in(seoul) == ADDED
    assert discoveries(seoul) == [("seoul", 30, 9, 1, 6, 2)]
    requests = seoul.requests()
    pages = [operation for operation, _ in requests if operation.startswith("hashtag")]
    looks = [target for operation, target in requests if operation == "profile_by_id"]
    canaries = [one for one in looks if one not in NEW]
    assert pages == ["hashtag_top", "hashtag_more"]
    assert sorted(set(looks) - set(canaries)) == sorted(NEW)
    # "Not found" of one person is believed with a canary.
    assert len(canaries) == 1
    assert len(requests) == len(pages) + len(NEW) + len(canaries)
    assert seoul.standin.requests["total"] == len(requests)
    [ended] = [one for one in seoul.tasks() if one.id == task.id]
    assert (ended.status, ended.outcome) == (TaskStatus.DONE, None)
    # Steps outlive an erasure.
    assert not any(pk in str(ended.steps) for pk in ("101", "107", "109"))


@pytest.mark.parametrize("broken", [1, 2])
def test_people_whom_instagram_can_not_show_do_not_keep_the_others_out(
    assets_db: ClonedDatabase, broken: int
) -> None:
    days = ["server_error"] * 4
    people = [blogger(f"p{nth}", pk=200 + nth, bad_days=days if nth < broken else ()) for nth in range(5)]
    tags = {"busan": [(one.username, 0) for one in people]}
    with ground(assets_db, people, tags) as made:
        made.put(NewTask(TaskType.DISCOVER, "busan", 10))
        for _ in range(4):
            assert discover(hashtag(made), made.work()) == Done("error", unavailable=True)
            made.wake()
        assert [row[0] for row in taken_in(made)] == [one.username for one in people[broken:]]
        looks = [target for operation, target in made.requests() if operation == "profile_by_id"]
        assert len(looks) == 5 - broken + 4 * broken


@pytest.mark.parametrize(("posts", "pages"), [(1, 1), (25, 1), (26, 2)])
def test_only_so_many_posts_are_looked_through(seoul: Ground, posts: int, pages: int) -> None:
    task = hashtag(seoul)
    discover(task, seoul.work(discover_posts=posts))
    assert discoveries(seoul)[0][1] == posts
    assert sum(operation.startswith("hashtag") for operation, _ in seoul.requests()) == pages


def test_a_hashtag_without_posts_is_done_without_a_look(seoul: Ground) -> None:
    seoul.put(NewTask(TaskType.DISCOVER, "nothing_here", 1))
    task = hashtag(seoul)
    assert discover(task, seoul.work()) == Done("no_posts")
    assert discoveries(seoul) == [("nothing_here", 0, 0, 0, 0, 0)]
    assert len(seoul.requests()) == 1


def test_a_person_who_was_named_but_never_scraped_is_known_by_username_when_looked_at(
    seoul: Ground,
) -> None:
    seoul.blog("ada")
    task = hashtag(seoul)
    discover(task, seoul.work())
    assert discoveries(seoul) == [("seoul", 30, 9, 2, 6, 1)]
    assert len(seoul.rows("select from blogs where username = 'ada'")) == 1


def test_a_person_erased_under_the_username_alone_is_not_taken_in(seoul: Ground) -> None:
    with seoul.database.connection() as connection:
        connection.execute(
            "insert into erased_people (platform, subject_hash, erased_by) values ('instagram', %s, 'a test')",
            [hashes(None, "eve")[0]],
        )
    task = hashtag(seoul)
    discover(task, seoul.work())
    assert taken_in(seoul) == ADDED[:1]
    assert not seoul.rows("select from persons p where not exists (select from blogs where person_id = p.id)")


def test_without_budget_the_task_is_put_off_and_goes_on_where_it_stopped(seoul: Ground) -> None:
    seoul.instagram(changed(OPEN, per_hour=4))
    task = hashtag(seoul)
    stopped = discover(task, seoul.work())
    assert isinstance(stopped, Stopped)
    assert stopped.retry_at is not None
    assert not stopped.at_once
    [waits] = [one for one in seoul.tasks() if one.id == task.id]
    assert (waits.status, waits.attempts) == (TaskStatus.PENDING, 0)
    assert waits.deferred_until is not None
    assert waits.error_message is not None
    assert len(waits.steps["looks"]) == 3  # one was erased, two were looked at
    seoul.instagram()
    seoul.wake()
    task = hashtag(seoul)
    assert discover(task, seoul.work()) == Done("discovered")
    assert taken_in(seoul) == ADDED
    operations = [one for one in seoul.requests() if one[1] in {"seoul", *NEW}]
    assert len(operations) == len(set(operations)) == 2 + len(NEW)


def test_when_every_seat_is_refused_the_attempt_fails_and_waits(assets_db: ClonedDatabase) -> None:
    walled = [blogger("ada", pk=101, behaviour="wall"), blogger("bea", pk=102)]
    with ground(assets_db, walled, {"seoul": [("ada", 0), ("bea", 0)]}, seats=5) as made:
        made.put(NewTask(TaskType.DISCOVER, "seoul", 10))
        task = hashtag(made)
        assert discover(task, made.work()) == Done("all_accounts_cooling", unavailable=True)
        assert made.requests().count(("profile_by_id", "101")) == 3
        assert ("profile_by_id", "102") not in made.requests()
        [waits] = made.tasks()
        assert (waits.status, waits.attempts, waits.next_retry_at is not None) == (
            TaskStatus.PENDING,
            1,
            True,
        )
        assert waits.error_message is not None
        assert waits.steps["people"] == [101, 102]


def test_after_its_last_attempt_a_task_names_no_one_any_more(assets_db: ClonedDatabase) -> None:
    walled = [blogger("ada", pk=101, behaviour="wall"), blogger("bea", pk=102)]
    with ground(assets_db, walled, {"seoul": [("ada", 0), ("bea", 0)]}, seats=5) as made:
        made.put(NewTask(TaskType.DISCOVER, "seoul", 10, max_attempts=1))
        discover(hashtag(made), made.work())
        [failed] = made.tasks()
        assert failed.status is TaskStatus.FAILED
        assert (failed.steps["people"], failed.steps["looks"]) == ([], {})
        assert failed.steps["found"]["people"] == 2
        assert "101" not in str(failed.steps)


def test_a_stop_gives_the_task_back_with_what_it_has(seoul: Ground) -> None:
    task = hashtag(seoul)
    work = seoul.work()
    asked = StoppingSession(work.session, seoul.stop, after=3)
    ended = discover(task, replace(work, session=asked))
    assert ended == Stopped("The run is stopping.", at_once=False)
    [given] = [one for one in seoul.tasks() if one.id == task.id]
    assert (given.status, given.attempts, given.steps["pages"]) == (TaskStatus.PENDING, 0, 2)


def test_a_task_that_another_worker_has_is_left_alone(seoul: Ground) -> None:
    task = hashtag(seoul)
    seoul.lose_workers()
    assert discover(task, seoul.work()) == Done("lost")
    assert taken_in(seoul) == discoveries(seoul) == []
    assert not seoul.rows("select from persons p where not exists (select from blogs where person_id = p.id)")


def test_a_person_is_not_taken_in_for_a_task_that_was_lost_during_the_look(seoul: Ground) -> None:
    work = seoul.work()
    losing = LosingSession(work.session, seoul, ProfileById(101))
    assert discover(hashtag(seoul), replace(work, session=losing)) == Done("lost")
    assert taken_in(seoul) == []
    assert seoul.rows("select username from blogs") == [("gil",)]
    assert len(seoul.rows("select from persons")) == 1
    assert discover(hashtag(seoul), seoul.work()) == Done("discovered")
    assert taken_in(seoul) == ADDED


def test_a_task_that_is_known_to_be_lost_asks_for_nothing_and_lets_the_run_go_on(seoul: Ground) -> None:
    task = hashtag(seoul)
    lost = Event()
    lost.set()
    assert discover(task, seoul.work(lost)) == Done("lost")
    assert seoul.requests() == []
    assert [one.status for one in seoul.tasks()] == [TaskStatus.RUNNING]


class LosingSession:
    """The lease runs out during one request."""

    def __init__(self, session: Any, made: Ground, during: Operation[Any]) -> None:
        self._session = session
        self._made = made
        self._during = during

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any] | Deferred:
        if operation == self._during:
            self._made.lose_workers()
        ended: Result[Any] | Deferred = self._session.run(operation, deadline)
        return ended


class StoppingSession:
    """Sets `stop` after so many requests."""

    def __init__(self, session: Any, stop: Event, after: int) -> None:
        self._session = session
        self._stop = stop
        self._left = after

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any] | Deferred:
        self._left -= 1
        if not self._left:
            self._stop.set()
        ended: Result[Any] | Deferred = self._session.run(operation, deadline)
        return ended


class Killed(BaseException):
    """The process is gone."""


class DyingDatabase:
    """Dies at its connection number `at`: before its first statement, or when all is committed."""

    def __init__(self, database: Database, at: int, *, after: bool) -> None:
        self._database = database
        self._at = at
        self._after = after
        self.connections = 0

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        self.connections += 1
        if self.connections == self._at and not self._after:
            raise Killed
        with self._database.connection() as connection:
            yield connection
        if self.connections == self._at:
            raise Killed


# Two pages, who is known, seven looks, the end.
WRITES = 2 + 1 + len(NEW) + 1


@pytest.mark.parametrize("after", [False, True], ids=["before its commit", "after it"])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_killed_at_any_write_it_loses_no_person_and_asks_at_most_one_thing_again(
    seoul: Ground, at: int, after: bool
) -> None:
    task = hashtag(seoul)
    dying = DyingDatabase(seoul.database, at, after=after)
    with pytest.raises(Killed):
        discover(task, replace(seoul.work(), database=dying))
    seoul.lose_workers()
    for task in seoul.claim(9, "again", [TaskType.DISCOVER]):
        assert discover(task, seoul.work()) == Done("discovered")
    assert [row[:5] for row in taken_in(seoul)] == [row[:5] for row in ADDED]
    assert discoveries(seoul) == [("seoul", 30, 9, 1, 6, 2)]
    asked = [one for one in seoul.requests() if one[1] in {"seoul", *NEW}]
    repeated = len(asked) - len(set(asked))
    # Only an answer that was not noted is asked for again.
    assert repeated == (0 if after or at in (3, WRITES) else 1)


def test_the_dying_database_counts_every_write(seoul: Ground) -> None:
    task = hashtag(seoul)
    counted = DyingDatabase(seoul.database, 10_000, after=False)
    assert discover(task, replace(seoul.work(), database=counted)) == Done("discovered")
    assert counted.connections == WRITES
