"""People whose username changed, was taken by another person, or belongs to a blog that is known already."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import ProfileById
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    DRIFT,
    FOUND,
    NOT_THERE,
    NOW,
    PK,
    PROFILE,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    posts_of,
    rows,
    shown,
    state,
    task_now,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram

STRANGER = replace(FOUND, value=replace(PROFILE, instagram_id="777"))
RENAMED = replace(FOUND, value=replace(PROFILE, username="new.name"))
BY_ID = ProfileById(PK)


def test_a_renamed_person_is_found_by_the_id(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    instagram = shown(NOT_THERE, answers() | {BY_ID: RENAMED})
    assert scrape(known, work(assets_db, instagram)) == Done("scraped")
    assert instagram.ran[0] == BY_ID
    renamed = blog(assets, "new.name")
    assert (renamed["platform_id"], renamed["scrape_status"], renamed["sightings"]) == (PK, "active", [])
    assert len(posts_of(assets, renamed["id"])) == 20


@pytest.mark.parametrize("by_name", [DRIFT, Result(Finding.RESTRICTED)])
def test_a_page_that_says_nothing_is_followed_by_the_id(
    assets_db: ClonedDatabase, assets: Connection, known: Task, by_name: Result[Any]
) -> None:
    assert scrape(known, work(assets_db, shown(by_name, answers() | {BY_ID: FOUND}))) == Done("scraped")
    assert state(assets, known) == ("active", "done", None)


def test_the_new_owner_of_a_name_is_never_taken_for_the_old_one(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    instagram = shown(STRANGER, answers() | {BY_ID: RENAMED})
    assert scrape(known, work(assets_db, instagram)) == Done("scraped")
    assert blog(assets, "new.name")["platform_id"] == PK


def test_a_person_who_is_gone_and_whose_name_is_reused_is_confirmed_like_any_other(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    scrape(known, work(assets_db, shown(STRANGER, {BY_ID: NOT_THERE})))
    assert state(assets, known) == ("active", "pending", None)
    task = claimed(assets)
    later = work(assets_db, shown(STRANGER, {BY_ID: NOT_THERE}), now=NOW + timedelta(hours=6))
    assert scrape(task, later) == Done("renamed_away")
    assert state(assets, task) == ("deleted", "done", "renamed_away")
    assert blog(assets)["platform_id"] == PK


def test_a_failed_update_leaves_the_blog_as_it_was(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    assets.execute("update scrape_tasks set max_attempts = 1 where id = %s", [known.id])
    task = replace(known, max_attempts=1)
    assert scrape(task, work(assets_db, shown(DRIFT, {BY_ID: DRIFT}))) == Done("error")
    assert state(assets, task) == ("active", "failed", "error")


def test_a_name_that_another_blog_still_has_is_not_taken_over(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    ask_for_blogs(assets, ["new.name"])
    assets.execute("update blogs set platform_id = 5 where username = 'new.name'")
    scrape(known, work(assets_db, shown(NOT_THERE, answers() | {BY_ID: RENAMED})))
    assert blog(assets)["platform_id"] == PK
    assert blog(assets, "new.name")["platform_id"] == 5


def test_a_blog_that_is_a_known_person_under_a_new_name_becomes_that_persons(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    STORE.finish(assets, known)
    old = blog(assets)["id"]
    task = asked(assets, "new.name")
    instagram = FakeInstagram({"new.name": RENAMED}, answers=answers())
    assert scrape(task, work(assets_db, instagram)) == Done("scraped")
    assert instagram.looked_at == ["new.name"]
    assert rows(assets, "select id, username, scrape_status from blogs") == [
        {"id": old, "username": "new.name", "scrape_status": "active"}
    ]
    assert rows(assets, "select count(*) from persons") == [{"count": 1}]
    assert (task_now(assets, task)["blog_id"], task_now(assets, task)["status"]) == (old, "done")


def test_that_persons_blog_keeps_its_own_state_when_the_scrape_is_put_off(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    STORE.finish(assets, known)
    task = asked(assets, "new.name")
    instagram = FakeInstagram({"new.name": RENAMED}, answers={NewestPosts(PK, 20): BUSY})
    scrape(task, work(assets_db, instagram))
    assert state(assets, task) == ("active", "pending", None)


def test_while_the_known_person_has_a_task_the_other_one_waits(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    ask_for_blogs(assets, ["new.name"])
    [task] = STORE.claim(assets, "second", 1)
    instagram = FakeInstagram({"new.name": RENAMED}, answers=answers())
    assert scrape(task, work(assets_db, instagram)) == Done("put_off")
    assert state(assets, task) == ("pending", "pending", None)
    assert task_now(assets, task)["attempts"] == 0


def test_an_erased_person_under_another_name_is_removed_again(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    assets.execute(
        "insert into erased_people (platform, subject_hash, erased_by) values ('instagram', %s, 'a person')",
        [hashes(PK, None)[0]],
    )
    assert scrape(task, work(assets_db, shown(FOUND))) == Done("erased")
    assert rows(assets, "select from blogs") == rows(assets, "select from persons") == []
