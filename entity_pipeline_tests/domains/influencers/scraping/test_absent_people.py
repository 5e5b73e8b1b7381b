"""People who can't be seen: private profiles, and those that are not found once, or twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    DRIFT,
    FOUND,
    LIMITED,
    NOT_THERE,
    NOW,
    PK,
    PROFILE,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    shown,
    state,
    task_now,
    work,
)


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


def test_the_sentence_about_one_look_ends_with_one_period(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    scrape(task, work(assets_db, shown(replace(NOT_THERE, detail="HTTP 404 (not there)."))))
    assert task_now(assets, task)["error_message"].endswith("has to confirm it (HTTP 404 (not there)).")


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
