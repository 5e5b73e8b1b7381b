"""What people ask of the queue: every spelling, what is there already, erased people, and the cost of many names."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.text.handles import Rejection
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.queries.new_blogs import Named, find_or_add
from entity_pipeline.domains.influencers.queue.requests import Answer, ask_for_blogs, ask_for_hashtags
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]


def erase(connection: Connection, pk: int | None, username: str | None) -> None:
    for one in hashes(pk, username):
        connection.execute(
            "insert into erased_people (platform, subject_hash, erased_by) values ('instagram', %s, 'a test')",
            [one],
        )


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_each_name_has_its_answer_in_order_and_in_any_spelling(assets: Connection) -> None:
    erase(assets, None, "gone")
    names = ["@Ada", "https://instagram.com/bea/", "ADA", "not a name", "gone", "cho"]
    answers = ask_for_blogs(assets, names, priority=2, source="api")
    assert [(one.given, one.answer, one.username) for one in answers] == [
        ("@Ada", Answer.MADE, "ada"),
        ("https://instagram.com/bea/", Answer.MADE, "bea"),
        ("ADA", Answer.WAS_THERE, "ada"),
        ("not a name", Answer.NO_USERNAME, None),
        ("gone", Answer.ERASED, "gone"),
        ("cho", Answer.MADE, "cho"),
    ]
    assert answers[3].why is Rejection.BAD_CHARACTER
    assert answers[0].task_id == answers[2].task_id
    tasks = STORE.claim(assets, "a run", 10)
    assert [(task.id, task.task_key, task.priority) for task in tasks] == [
        (one.task_id, str(one.blog_id), 2) for one in (answers[0], answers[1], answers[5])
    ]
    rows = assets.execute("select username, scrape_status, source from blogs order by username").fetchall()
    assert rows == [(name, "pending", "api") for name in ("ada", "bea", "cho")]
    assert count(assets, "persons") == 3


def test_a_name_that_is_asked_for_again_keeps_its_blog_and_gets_a_task_when_the_first_has_ended(
    assets: Connection,
) -> None:
    [first] = ask_for_blogs(assets, ["ada"], priority=3)
    [again] = ask_for_blogs(assets, ["ada"], priority=1, source="api")
    assert (again.answer, again.task_id, again.blog_id) == (Answer.WAS_THERE, first.task_id, first.blog_id)
    [task] = STORE.claim(assets, "a run", 2)
    assert task.priority == 1
    STORE.finish(assets, task)
    [second] = ask_for_blogs(assets, ["ada"])
    assert (second.answer, second.blog_id) == (Answer.MADE, first.blog_id)
    assert second.task_id != first.task_id
    assert assets.execute("select source from blogs").fetchall() == [("manual",)]
    assert (count(assets, "blogs"), count(assets, "persons")) == (1, 1)


def test_too_many_at_once_are_refused_before_anything_is_written(assets: Connection) -> None:
    with pytest.raises(InputRejected, match="1001 usernames"):
        ask_for_blogs(assets, ["ada"] * 1_001)
    with pytest.raises(InputRejected, match="1001 hashtags"):
        ask_for_hashtags(assets, ["ada"] * 1_001)
    assert ask_for_blogs(assets, []) == []
    assert ask_for_hashtags(assets, []) == []
    assert count(assets, "blogs") == 0


class CountedConnection:
    """Counts what is sent through it, as each is a round trip."""

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        wait = connection.wait

        def counted(*arguments: Any, **more: Any) -> Any:
            self.sent += 1
            return wait(*arguments, **more)

        monkeypatch.setattr(connection, "wait", counted)


def test_a_thousand_names_take_as_many_round_trips_as_one(
    assets: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = CountedConnection(assets, monkeypatch)
    ask_for_blogs(assets, ["first"])
    for_one, counted.sent = counted.sent, 0
    ask_for_blogs(assets, [f"name_{n}" for n in range(1_000)])
    assert counted.sent == for_one <= 8
    assert count(assets, "scrape_tasks") == 1_001


def test_many_who_ask_for_the_same_names_at_once_make_each_blog_and_task_once(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    names = [f"name_{n}" for n in range(50)]
    together = threading.Barrier(8)

    def ask(nth: int) -> list[Answer]:
        mine = names[nth:] + names[:nth]
        with assets_db.connection() as connection:
            together.wait()
            return [one.answer for one in ask_for_blogs(connection, mine)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for one in pool.map(ask, range(8)) for answer in one]
    assert answers.count(Answer.MADE) == 50
    assert answers.count(Answer.WAS_THERE) == 350
    assert [count(assets, table) for table in ("blogs", "persons", "scrape_tasks")] == [50, 50, 50]


def test_an_erasure_is_waited_for_and_then_believed(assets_db: ClonedDatabase, assets: Connection) -> None:
    with assets_db.connection() as erasing, ThreadPoolExecutor(1) as pool:
        with erasing.transaction():
            erase(erasing, None, "ada")
            asked = pool.submit(ask_for_blogs, assets, ["ada"])
            while not erasing.execute(
                "select from pg_locks where not granted and relation = 'erased_people'::regclass"
            ).rowcount:
                assert not asked.done()
        assert [one.answer for one in asked.result()] == [Answer.ERASED]
    assert count(assets, "blogs") == 0


def test_a_person_is_found_by_id_before_username_and_never_under_another_persons_name(
    assets: Connection,
) -> None:
    with assets.transaction():
        found = find_or_add(assets, [Named("ada", 1), Named("bea", 2)], "discover:seoul")
    with assets.transaction():
        again = find_or_add(assets, [Named("ada_new", 1), Named("bea", 3), Named("cho")], "discover:busan")
    assert again["ada_new"].blog_id == found["ada"].blog_id is not None
    assert (found["ada"].is_new, again["ada_new"].is_new, again["cho"].is_new) == (True, False, True)
    assert again["bea"].blog_id is None
    assert not again["bea"].is_erased
    assert again["cho"].blog_id is not None
    assert (count(assets, "blogs"), count(assets, "persons")) == (3, 3)


def test_hashtags_are_asked_for_in_any_spelling(assets: Connection) -> None:
    answers = ask_for_hashtags(assets, ["#Seoul", "seoul", "a b", "부산"], priority=10)
    assert [(one.answer, one.hashtag) for one in answers] == [
        (Answer.MADE, "seoul"),
        (Answer.WAS_THERE, "seoul"),
        (Answer.NO_HASHTAG, None),
        (Answer.MADE, "부산"),
    ]
    tasks = STORE.claim(assets, "a run", 10, [TaskType.DISCOVER])
    assert [(task.task_key, task.priority, task.id) for task in tasks] == [
        ("seoul", 10, answers[0].task_id),
        ("부산", 10, answers[3].task_id),
    ]
