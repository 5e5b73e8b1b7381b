"""Scrapes that end before everything is stored: people who are gone or private, refusals, and workers that stop."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileById
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    DRIFT,
    FOUND,
    HIGHLIGHTS,
    LIMITED,
    NAME,
    NOT_THERE,
    NOW,
    PK,
    PROFILE,
    Answers,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    items,
    posts_of,
    rows,
    task_now,
    work,
)
from entity_pipeline_tests.fakes.instagram import Ended, FakeInstagram

STRANGER = replace(FOUND, value=replace(PROFILE, instagram_id="777"))
RENAMED = replace(FOUND, value=replace(PROFILE, username="new.name"))
BY_ID = ProfileById(PK)
Scraped = Callable[..., Done | Stopped]


def shown(profile: Ended, found: Answers | None = None) -> FakeInstagram:
    return FakeInstagram({NAME: profile}, answers=found if found is not None else answers())


@pytest.fixture
def known(assets_db: ClonedDatabase, assets: Connection) -> Task:
    """The second scrape of a blog, whose id is known from the first."""
    scrape(asked(assets), work(assets_db, shown(FOUND)))
    return asked(assets)


def state(assets: Connection, task: Task) -> tuple[str, str, str | None]:
    """The blog's state, the task's, and its outcome."""
    row = task_now(assets, task)
    [status] = rows(assets, "select scrape_status from blogs where id = %s", row["blog_id"])
    return status["scrape_status"], row["status"], row["outcome"]


# People who can't be seen.


@pytest.mark.parametrize(
    "profile",
    [
        Result(Finding.PRIVATE, source="anonymous:direct"),
        replace(FOUND, value=replace(PROFILE, is_private=True)),
    ],
)
def test_a_private_profile_ends_the_task_without_further_requests(
    assets_db: ClonedDatabase, assets: Connection, profile: Result[InstagramProfile]
) -> None:
    task, instagram = asked(assets), shown(profile)
    assert scrape(task, work(assets_db, instagram)) == Done("private")
    assert instagram.ran == []
    assert state(assets, task) == ("private", "done", "private")
    assert blog(assets)["follower_count"] == (10_000 if profile.value else None)


def test_posts_that_are_private_by_now_end_the_task_too(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    found = answers() | {NewestPosts(PK, 20): Result(Finding.PRIVATE)}
    assert scrape(task, work(assets_db, shown(FOUND, found))) == Done("private")
    assert state(assets, task) == ("private", "done", "private")


def test_one_look_that_finds_nothing_is_no_deletion(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)
    assert scrape(task, work(assets_db, shown(NOT_THERE))) == Done("absence_not_confirmed")
    assert state(assets, task) == ("pending", "pending", None)
    [look] = blog(assets)["sightings"]
    assert (look["outcome"], look["canary"], look["at"]) == ("not_found", True, "2026-11-30T12:00:00+00:00")
    wait = task_now(assets, task)["next_retry_at"] - datetime.now(UTC)
    assert timedelta(hours=6) < wait < timedelta(hours=6, minutes=6)


def test_a_second_look_six_hours_later_confirms_it(assets_db: ClonedDatabase, assets: Connection) -> None:
    scrape(asked(assets), work(assets_db, shown(NOT_THERE)))
    task = claimed(assets)
    later = work(assets_db, shown(NOT_THERE), now=NOW + timedelta(hours=6))
    assert scrape(task, later) == Done("deleted")
    assert state(assets, task) == ("deleted", "done", "deleted")


def test_a_second_look_too_soon_confirms_nothing(assets_db: ClonedDatabase, assets: Connection) -> None:
    scrape(asked(assets), work(assets_db, shown(NOT_THERE)))
    task = claimed(assets)
    scrape(task, work(assets_db, shown(NOT_THERE), now=NOW + timedelta(hours=5)))
    assert state(assets, task) == ("pending", "pending", None)


def test_a_look_by_a_blocked_seat_withdraws_the_first(assets_db: ClonedDatabase, assets: Connection) -> None:
    scrape(asked(assets), work(assets_db, shown(NOT_THERE)))
    blocked = shown(replace(NOT_THERE, canary=False))
    assert scrape(claimed(assets), work(assets_db, blocked, now=NOW + timedelta(hours=6))) == Done("error")
    task = claimed(assets, "third")
    scrape(task, work(assets_db, shown(NOT_THERE), now=NOW + timedelta(hours=12)))
    assert state(assets, task) == ("pending", "pending", None)


def test_a_profile_that_is_back_is_noted_as_seen(assets_db: ClonedDatabase, assets: Connection) -> None:
    scrape(asked(assets), work(assets_db, shown(NOT_THERE)))
    task = claimed(assets)
    scrape(task, work(assets_db, shown(FOUND), now=NOW + timedelta(hours=6)))
    assert state(assets, task) == ("active", "done", None)
    assert [look["outcome"] for look in blog(assets)["sightings"]] == ["not_found", "found"]


def test_an_absence_that_is_never_confirmed_fails_in_the_end(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    unsure = shown(replace(NOT_THERE, canary=None))
    for nth in range(4):
        scrape(task, work(assets_db, unsure, now=NOW + timedelta(hours=7 * nth)))
        if nth < 3:
            assert state(assets, task) == ("pending", "pending", None)
            task = claimed(assets, f"claim {nth}")
    assert state(assets, task) == ("failed", "failed", "absence_not_confirmed")


@pytest.mark.parametrize(
    "answer", [DRIFT, Result(Finding.RESTRICTED), LIMITED, replace(LIMITED, seat=SeatOutcome.UPSTREAM)]
)
def test_no_other_answer_is_taken_for_a_deletion(
    assets_db: ClonedDatabase, assets: Connection, answer: Result[Any]
) -> None:
    task = asked(assets)
    for nth in range(4):
        scrape(task, work(assets_db, shown(answer), now=NOW + timedelta(hours=7 * nth)))
        if task_now(assets, task)["status"] == "pending":
            task = claimed(assets, f"claim {nth}")
    assert state(assets, task)[:2] == ("failed", "failed")
    assert blog(assets)["sightings"] == []


# Names and ids.


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


# Accounts that are refused.


def test_another_seat_is_tried_up_to_three_times(assets_db: ClonedDatabase, assets: Connection) -> None:
    found = answers()
    posts = found[NewestPosts(PK, 20)]
    assert isinstance(posts, Result)
    found[NewestPosts(PK, 20)] = [LIMITED, replace(LIMITED, seat=SeatOutcome.CHALLENGED), posts]
    instagram = shown(FOUND, found)
    task = asked(assets)
    assert scrape(task, work(assets_db, instagram)) == Done("scraped")
    assert instagram.ran.count(NewestPosts(PK, 20)) == 3


def test_three_refusals_fail_the_attempt(assets_db: ClonedDatabase, assets: Connection) -> None:
    instagram = shown(LIMITED)
    task = asked(assets)
    ended = scrape(task, work(assets_db, instagram))
    assert ended == Done("all_accounts_cooling", unavailable=True)
    assert instagram.looked_at == [NAME] * 3
    row = task_now(assets, task)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert row["error_message"] == "Every account that could ask was refused: rate_limited (HTTP 429)"


def test_the_third_attempt_with_all_accounts_cooling_is_final(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    for nth in range(3):
        scrape(task, work(assets_db, shown(LIMITED)))
        if nth < 2:
            task = claimed(assets, f"claim {nth}")
    assert state(assets, task) == ("failed", "failed", "all_accounts_cooling")


def test_no_free_account_after_a_refusal_is_an_attempt_and_stops_the_run(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: [LIMITED, BUSY]})
    ended = scrape(task, work(assets_db, instagram))
    assert ended == Stopped("All accounts are resting.", BUSY.next_at, at_once=False)
    assert task_now(assets, task)["attempts"] == 1
    assert state(assets, task) == ("pending", "pending", None)


def test_what_is_put_off_before_anything_was_sent_is_no_attempt(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    ended = scrape(task, work(assets_db, FakeInstagram({NAME: BUSY})))
    assert ended == Stopped("All accounts are resting.", BUSY.next_at, at_once=False)
    row = task_now(assets, task)
    assert (row["status"], row["attempts"], row["deferred_until"]) == ("pending", 0, BUSY.next_at)
    assert blog(assets)["scrape_status"] == "pending"


def test_posts_that_are_not_found_have_the_profile_looked_at_again(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    found = answers() | {NewestPosts(PK, 20): NOT_THERE}
    assert scrape(asked(assets), work(assets_db, shown(FOUND, found))) == Done("error")
    again = shown(FOUND)
    assert scrape(claimed(assets), work(assets_db, again)) == Done("scraped")
    assert again.looked_at == [NAME]


@pytest.mark.parametrize("operation", [HighlightsLook(PK), items(*HIGHLIGHTS[:5])[0]])
@pytest.mark.parametrize("answer", [DRIFT, replace(LIMITED, seat=SeatOutcome.UPSTREAM)])
def test_highlights_that_instagram_does_not_serve_cost_only_themselves(
    assets_db: ClonedDatabase,
    assets: Connection,
    operation: HighlightsLook | HighlightItems,
    answer: Result[Any],
) -> None:
    task, instagram = asked(assets), shown(FOUND, answers() | {operation: answer})
    assert scrape(task, work(assets_db, instagram)) == Done("scraped")
    assert instagram.ran[-1] == operation
    assert state(assets, task) == ("active", "done", None)
    assert answer.word in str(task_now(assets, task)["steps"])


def test_highlights_that_are_gone_meanwhile_are_not_asked_for_again(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    first, second = items(*HIGHLIGHTS[:5])[0], items(*HIGHLIGHTS[5:])[0]
    instagram = shown(FOUND, answers() | {first: NOT_THERE})
    assert scrape(asked(assets), work(assets_db, instagram)) == Done("scraped")
    assert instagram.ran[-2:] == [first, second]


def test_refused_highlights_are_tried_again_until_the_last_attempt_goes_without(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    found = answers() | {HighlightsLook(PK): LIMITED}
    task = asked(assets)
    for nth in range(2):
        assert scrape(task, work(assets_db, shown(FOUND, found))) == Done(
            "all_accounts_cooling", unavailable=True
        )
        task = claimed(assets, f"claim {nth}")
    assert scrape(task, work(assets_db, shown(FOUND, found))) == Done("scraped")
    assert blog(assets)["er"] is not None


# Workers that stop, or come late.


def test_a_stop_gives_the_task_back_and_the_next_run_goes_on(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=lambda _: first.stop.set())
    first = work(assets_db, instagram)
    assert scrape(task, first) == Stopped("The run is stopping.", at_once=False)
    row = task_now(assets, task)
    assert (row["status"], row["attempts"], row["lease_owner"]) == ("pending", 0, None)
    assert blog(assets)["scrape_status"] == "pending"
    again = shown(FOUND)
    assert scrape(claimed(assets), work(assets_db, again)) == Done("scraped")
    assert again.looked_at == []


def test_the_end_of_the_steps_time_gives_the_task_back(assets_db: ClonedDatabase, assets: Connection) -> None:
    over: Work = replace(work(assets_db, shown(FOUND)), deadline=NOW)
    assert scrape(asked(assets), over) == Stopped("The step's time is up.", at_once=False)


def test_a_late_worker_writes_nothing(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)

    def taken_over(_: str) -> None:
        assets.execute("update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms'")
        STORE.recover(assets)
        claimed(assets, "another worker")

    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=taken_over)
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert instagram.ran == []
    assert (blog(assets)["platform_id"], task_now(assets, task)["steps"].keys()) == (None, {"was"})
    assert task_now(assets, task)["lease_owner"] == "another worker"


def test_a_lost_task_is_left_alone(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=lambda _: lost.lost.set())
    lost = work(assets_db, instagram)
    assert scrape(task, lost) == Done("lost")
    assert task_now(assets, task)["status"] == "running"


def test_a_blog_that_is_removed_meanwhile_ends_the_work(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    instagram = FakeInstagram(
        {NAME: FOUND}, answers=answers(), meanwhile=lambda _: assets.execute("delete from persons")
    )
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert rows(assets, "select from blogs") == []


def test_a_switch_that_is_turned_off_meanwhile_ends_the_scrape_with_what_is_stored(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    found = answers() | {HighlightsLook(PK): BUSY}
    scrape(asked(assets), work(assets_db, shown(FOUND, found)))
    instagram = shown(FOUND)
    without = InfluencerSettings(highlights_enabled=False)
    assert scrape(claimed(assets), work(assets_db, instagram, without)) == Done("scraped")
    assert (instagram.looked_at, instagram.ran) == ([], [])
    assert blog(assets)["scrape_status"] == "active"
