"""A person is removed everywhere, at whatever statement the first attempt ended, and stays out."""

import threading
from typing import Any
from uuid import UUID

import pytest

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.gemini.batch import DeletedInputs
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.erasure.erase import Eraser, Target, take_in_again
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import Answer, ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Outcome
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.influencers.erasure.people import (
    NAME,
    OTHER,
    OTHER_PK,
    OWN_KEYS,
    PK,
    SHARED_KEY,
    DyingDatabase,
    Killed,
    add_person,
    add_traces,
    snapshot,
    traces,
)
from entity_pipeline_tests.domains.influencers.insights.insight_cases import World, add_blog, world
from entity_pipeline_tests.fakes.gemini_batches import FakeGeminiBatches
from entity_pipeline_tests.fakes.object_store import FakeObjectStore

OTHER_KEYS = ("influencers/pictures/dd/other.jpg", "influencers/pictures/ee/other.jpg")
WHO = "cli:mina"
BLOG_TASKS = (TaskType.FULL_SCRAPE, TaskType.AI_ANALYSIS)


class Bucket(FakeObjectStore):
    """With the pictures of both people; `failure` is raised by the next deletion."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: BaseException | None = None
        for key in (*OWN_KEYS, *OTHER_KEYS, SHARED_KEY):
            self.objects[key] = (b"", "image/jpeg")

    def delete(self, key: str) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        super().delete(key)


def fill(database: Database) -> UUID:
    """Both people, with traces of the first; returns the blog's id."""
    blog = add_person(database, NAME, PK, "Trace", keys=OWN_KEYS)
    add_person(database, OTHER, OTHER_PK, "kept", keys=OTHER_KEYS)
    add_traces(database, blog)
    return blog


def erase(database: Database, bucket: Any, target: Target | None = None, gemini: Any = None) -> Any:
    eraser = Eraser(database, bucket, gemini or FakeGeminiBatches())
    wanted = target or Target(NAME)
    return eraser.erase(wanted, eraser.find(wanted), WHO)


def one(database: Database, statement: str, *values: Any) -> Any:
    with database.connection() as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row is not None else None


@pytest.mark.parametrize("target", [Target(NAME), Target(None, PK), Target(NAME, PK)])
def test_no_table_has_a_trace_of_the_person_and_others_keep_all(
    assets_db: ClonedDatabase, target: Target
) -> None:
    fill(assets_db)
    bucket = Bucket()
    assert traces(assets_db)
    erased = erase(assets_db, bucket, target)
    assert traces(assets_db) == []
    assert erased.rows == {"blogs": 1, "posts": 3, "highlights": 1, "categories": 1, "tasks": 2}
    assert (erased.pictures, erased.requests, erased.log) == (2, 1, 6)
    assert set(bucket.objects) == {*OTHER_KEYS, SHARED_KEY}, "what another blog shows stays"
    assert one(assets_db, "select count(*) from blogs") == 1
    assert one(assets_db, "select count(*) from blog_posts where caption_text = 'kept caption'") == 3
    assert one(assets_db, "select count(*) from persons") == 1
    assert one(assets_db, "select sum(cost_usd) from gemini_usage_events") == pytest.approx(0.25), (
        "money stays"
    )
    assert one(assets_db, "select request from gemini_usage_events") == {"model": "m"}
    assert one(assets_db, "select count(*) from instagram_request_log") == 7, "the windows still count"
    assert one(assets_db, "select target from instagram_request_log where target is not null") == OTHER
    steps = one(assets_db, "select steps from scrape_tasks where task_type = 'discover'")
    assert steps == {"people": [5, 6], "looks": {"5": "private"}}
    assert one(assets_db, "select array_agg(distinct erased_by) from erased_people") == [WHO]


def test_erasing_again_finds_nothing_and_keeps_one_trace_of_each_hash(assets_db: ClonedDatabase) -> None:
    fill(assets_db)
    erase(assets_db, Bucket())
    before = snapshot(assets_db)
    again = erase(assets_db, Bucket())
    assert not any(again.rows.values())
    assert (again.pictures, again.requests, again.log) == (0, 0, 0)
    assert snapshot(assets_db) == before
    assert one(assets_db, "select count(*) from erased_people") == 2


def test_killed_at_any_statement_a_second_run_removes_the_rest(database_server: DatabaseServer) -> None:
    with database_server.clone("assets") as undisturbed:
        fill(undisturbed)
        counted = DyingDatabase(undisturbed)
        erase(counted, Bucket())
        wanted = snapshot(undisturbed)
    assert counted.points > 15
    for number in range(counted.points):
        with database_server.clone("assets") as database:
            fill(database)
            bucket = Bucket()
            with pytest.raises(Killed):
                erase(DyingDatabase(database, dies_at=number), bucket)
            erase(database, bucket)
            assert traces(database) == [], f"killed at point {number}"
            assert snapshot(database) == wanted, f"killed at point {number}"
            assert set(bucket.objects) == {*OTHER_KEYS, SHARED_KEY}, f"killed at point {number}"


@pytest.mark.parametrize("failure", [Killed(), TransientFailure("The bucket can't be reached.")])
def test_while_a_picture_is_left_its_row_is_the_way_to_it(
    assets_db: ClonedDatabase, failure: BaseException
) -> None:
    fill(assets_db)
    bucket = Bucket()
    bucket.failure = failure
    with pytest.raises(type(failure)):
        erase(assets_db, bucket)
    assert one(assets_db, "select count(*) from blogs where username = %s", NAME) == 1
    assert one(assets_db, "select count(*) from erased_people") == 2, "kept out from the start"
    assert erase(assets_db, bucket).pictures == 2
    assert traces(assets_db) == []


# Work under way


def test_a_worker_that_is_late_writes_nothing(assets_db: ClonedDatabase) -> None:
    blog = fill(assets_db)
    with assets_db.connection() as connection:
        tasks = [
            task for task in STORE.claim(connection, "a run", 10, BLOG_TASKS) if task.task_key == str(blog)
        ]
        assert len(tasks) == 2
        erase(assets_db, Bucket())
        for task in tasks:
            assert not STORE.note_steps(connection, task, {"profile": 1})
            assert not STORE.finish(connection, task)
            assert STORE.fail(connection, task, "error", "late") is None
        assert STORE.extend(connection, tasks) == set()
        assert STORE.recover(connection) == []
    assert traces(assets_db) == []


def test_between_the_two_transactions_no_worker_gets_on_either(assets_db: ClonedDatabase) -> None:
    blog = fill(assets_db)
    with assets_db.connection() as connection:
        [task, _] = [
            task for task in STORE.claim(connection, "a run", 10, BLOG_TASKS) if task.task_key == str(blog)
        ]
    bucket = Bucket()
    bucket.failure = Killed()
    with pytest.raises(Killed):
        erase(assets_db, bucket)
    with assets_db.connection() as connection:
        assert not STORE.note_steps(connection, task, {"profile": 1})
        [found, *_] = STORE.find(connection, [task.id])
        assert (found.status, found.outcome) == ("done", Outcome.ERASED)
        assert not [
            task for task in STORE.claim(connection, "another", 10, BLOG_TASKS) if task.task_key == str(blog)
        ]
        assert ask_for_blogs(connection, [NAME])[0].answer is Answer.ERASED


def test_it_waits_for_a_worker_who_is_just_writing_and_removes_that_too(assets_db: ClonedDatabase) -> None:
    blog, bucket = fill(assets_db), Bucket()
    with assets_db.connection() as connection:
        [task, _] = [
            task for task in STORE.claim(connection, "a run", 10, BLOG_TASKS) if task.task_key == str(blog)
        ]
        with connection.transaction():
            assert STORE.note_steps(connection, task, {"profile": 1})
            erasing = threading.Thread(target=erase, args=(assets_db, bucket))
            erasing.start()
            with assets_db.connection() as other:
                while not other.execute("select from pg_locks where not granted").fetchall():
                    pass
            connection.execute(
                "insert into blog_posts (blog_id, platform_id, code, caption_text, thumbnail_key, taken_at) "
                "values (%s, 77, 'TraceCode9', 'Trace late', 'late.jpg', now())",
                [blog],
            )
            bucket.objects["late.jpg"] = (b"", "image/jpeg")
            connection.execute("update blogs set biography = 'Trace late' where id = %s", [blog])
        erasing.join(30)
    assert not erasing.is_alive()
    assert traces(assets_db) == []
    assert "late.jpg" not in bucket.objects


def test_a_batch_under_way_goes_on_and_its_answer_about_the_person_is_not_stored(
    assets_db: ClonedDatabase,
) -> None:
    with world(assets_db, keep_requests="full") as at:
        for name in ("trace.one", "stays.a", "stays.b"):
            add_blog(assets_db, name)
        [batch] = at.submit().batches
        held = one(assets_db, "select max(cost_usd) from gemini_usage_events")
        erased = erase(assets_db, at.store, Target("trace.one"), at.gemini)
        assert erased.inputs == DeletedInputs(0, [batch])
        assert at.standin.batches.uploads == [batch]
        at.collect()
        assert {name: task[0] for name, task in at.tasks().items()} == {"stays.a": "done", "stays.b": "done"}
        assert at.blog("stays.a")["insights"] is not None
        assert [line for line in traces(assets_db) if "trace.one" in line or "Trace.One" in line] == []
        rows = at.rows(
            "select state, reply is null, cost_usd, request ? 'parts' from gemini_usage_events order by 2, 3"
        )
        assert [row[:2] for row in rows] == [("settled", False), ("settled", False), ("settled", True)]
        assert rows[2][2:] == (pytest.approx(held), False), (
            "its greatest cost stays counted, its text does not"
        )
        _files_go_once_the_batch_has_ended(at, batch)


def _files_go_once_the_batch_has_ended(at: World, batch: str) -> None:
    erased = erase(at.database, at.store, Target("stays.a"), at.gemini)
    assert (erased.inputs, erased.inputs_problem) == (DeletedInputs(1, []), "")
    assert at.standin.batches.uploads == []
    again = erase(at.database, at.store, Target("stays.b"), at.gemini)
    assert (again.inputs, again.inputs_problem) == (DeletedInputs(0, []), "")


def test_gemini_out_of_reach_does_not_hold_an_erasure_up(assets_db: ClonedDatabase) -> None:
    with world(assets_db) as at:
        for name in ("trace.one", "stays.a", "stays.b"):
            add_blog(assets_db, name)
        at.submit()
        at.collect()
        at.standin.close()
        erased = erase(assets_db, at.store, Target("trace.one"), at.gemini)
        assert "try again later" in erased.inputs_problem
        assert one(assets_db, "select count(*) from blogs") == 2


# Kept out, and taken in again


def test_the_person_is_not_taken_in_again_until_asking_for_it(assets_db: ClonedDatabase) -> None:
    fill(assets_db)
    erase(assets_db, Bucket())
    with assets_db.connection() as connection:
        assert ask_for_blogs(connection, [f"@{NAME.upper()}"])[0].answer is Answer.ERASED
        take_in_again(connection, [OTHER])
        assert ask_for_blogs(connection, [NAME])[0].answer is Answer.ERASED
        take_in_again(connection, [NAME])
        assert ask_for_blogs(connection, [NAME])[0].answer is Answer.MADE
    assert one(assets_db, "select count(*) from erased_people") == 0, (
        "the hash of the id went with that of the name"
    )


def test_a_person_of_whom_nothing_is_stored_is_kept_out_all_the_same(assets_db: ClonedDatabase) -> None:
    erased = erase(assets_db, Bucket(), Target("new.name"))
    assert not any(erased.rows.values())
    with assets_db.connection() as connection:
        assert ask_for_blogs(connection, ["new.name"])[0].answer is Answer.ERASED


def test_a_second_erasure_under_a_new_name_is_the_same_person(assets_db: ClonedDatabase) -> None:
    erase(assets_db, Bucket(), Target("old.name", PK))
    erase(assets_db, Bucket(), Target("new.name", PK))
    with assets_db.connection() as connection:
        take_in_again(connection, ["new.name"])
        assert ask_for_blogs(connection, ["old.name"])[0].answer is Answer.MADE


def test_the_number_of_people_of_an_ended_search_is_not_taken_for_a_person(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        STORE.create(connection, [NewTask(TaskType.DISCOVER, "ootd", 10)])
        connection.execute(
            """update scrape_tasks set status = 'failed', steps = '{"people": 7, "looks": {}}'"""
        )
    erase(assets_db, Bucket(), Target(None, 7))
    assert one(assets_db, "select steps from scrape_tasks") == {"people": 7, "looks": {}}
