"""Requests that Instagram refuses, puts off or answers without a value."""

from dataclasses import replace
from typing import Any

import pytest

from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    DRIFT,
    FOUND,
    HIGHLIGHTS,
    LIMITED,
    NAME,
    NOT_THERE,
    PK,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    items,
    shown,
    state,
    task_now,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram


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


def test_no_free_account_after_a_refusal_is_an_attempt(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: [LIMITED, BUSY]})
    assert scrape(task, work(assets_db, instagram)) == Done("all_accounts_cooling", unavailable=True)
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
