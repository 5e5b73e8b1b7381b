"""Which request is next, by what is noted."""

from typing import Any

import pytest

from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.reels import ReelsLook
from entity_pipeline.domains.influencers.scraping.logic.steps import (
    Step,
    is_measurable,
    items_noted,
    next_step,
    operation_of,
    posts_noted,
    skipped,
    tray_noted,
    unread_highlights,
)
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline_tests.domains.influencers.scraping.blogger import post

ON, OFF = InfluencerSettings(), InfluencerSettings(highlights_enabled=False)
PROFILE = {"profile": {"pk": 9, "username": "made.up", "posts": 78}}
NO_COUNTS = {"profile": PROFILE["profile"] | {"lacks_counts": True}}
POSTS = PROFILE | {"posts": {"pks": [1, 2], "without_plays": 0}}
NO_PLAYS = PROFILE | {"posts": {"pks": [1, 2], "without_plays": 1}}
TRAY = POSTS | {"tray": {"pks": [1, 2, 3, 4, 5, 6, 7]}}


@pytest.mark.parametrize(
    ("steps", "settings", "step"),
    [
        pytest.param({}, ON, Step.PROFILE, id="nothing is stored"),
        pytest.param({"was": "active"}, ON, Step.PROFILE, id="only begun"),
        pytest.param({"profile": None}, ON, Step.PROFILE, id="to look again"),
        pytest.param(PROFILE, ON, Step.POSTS, id="the profile"),
        pytest.param({"profile": {"pk": 9, "posts": None}}, ON, Step.POSTS, id="how many posts is not shown"),
        pytest.param({"profile": {"pk": 9, "posts": 0}}, ON, Step.TRAY, id="no posts"),
        pytest.param({"profile": {"pk": 9, "posts": 0}}, OFF, None, id="no posts, highlights off"),
        pytest.param(NO_COUNTS, ON, Step.COUNTS, id="the page leaves out counts"),
        pytest.param(
            NO_COUNTS | skipped(Step.COUNTS, "schema_drift"), ON, Step.POSTS, id="counts are skipped"
        ),
        pytest.param(POSTS, ON, Step.TRAY, id="posts with plays"),
        pytest.param(POSTS, OFF, None, id="highlights off"),
        pytest.param(NO_PLAYS, OFF, Step.REELS, id="plays are missing"),
        pytest.param(NO_PLAYS | {"reels": {"read": 0}}, OFF, None, id="reels are read"),
        pytest.param(NO_PLAYS | skipped(Step.REELS, "schema_drift"), ON, Step.TRAY, id="reels are skipped"),
        pytest.param(TRAY, ON, Step.ITEMS, id="the tray"),
        pytest.param(TRAY, OFF, None, id="switched off after the tray"),
        pytest.param(POSTS | tray_noted([]), ON, None, id="an empty tray"),
        pytest.param(POSTS | skipped(Step.TRAY, "schema_drift"), ON, None, id="the tray is skipped"),
        pytest.param(TRAY | items_noted({}, [1, 2, 3, 4, 5]), ON, Step.ITEMS, id="five highlights"),
        pytest.param(TRAY | items_noted({}, range(1, 8)), ON, None, id="all highlights"),
        pytest.param(TRAY | skipped(Step.ITEMS, "schema_drift"), ON, None, id="stories are skipped"),
    ],
)
def test_the_next_step(steps: dict[str, Any], settings: InfluencerSettings, step: Step | None) -> None:
    assert next_step(steps, settings) == step


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        (Step.POSTS, NewestPosts(9, 20)),
        (Step.REELS, ReelsLook(9, "made.up")),
        (Step.TRAY, HighlightsLook(9)),
        (Step.ITEMS, HighlightItems((1, 2, 3, 4, 5))),
    ],
)
def test_the_request_of_a_step(step: Step, operation: Operation[Any]) -> None:
    assert operation_of(step, TRAY, ON) == operation


def test_the_page_has_as_many_posts_as_the_settings_say() -> None:
    assert operation_of(Step.POSTS, PROFILE, InfluencerSettings(posts_per_scrape=7)) == NewestPosts(9, 7)


def test_the_request_of_the_first_step_is_not_decided_by_notes() -> None:
    with pytest.raises(ValueError, match="profile"):
        operation_of(Step.PROFILE, PROFILE, ON)


def test_highlights_are_read_five_at_a_time_and_twenty_at_most() -> None:
    steps = POSTS | tray_noted(range(100, 130))
    read: list[tuple[int, ...]] = []
    while unread := unread_highlights(steps):
        read.append(unread)
        steps = steps | items_noted(steps, unread)
    assert read == [tuple(range(first, first + 5)) for first in (100, 105, 110, 115)]


def test_the_note_of_a_page_counts_the_reels_without_plays() -> None:
    posts = [post(3), post(6, play_count=None), post(1), post(2, kind="album")]
    assert posts_noted(posts) == {"posts": {"pks": [one.pk for one in posts], "without_plays": 1}}


@pytest.mark.parametrize(
    ("steps", "measurable"), [({}, False), (PROFILE, False), (NO_PLAYS, False), (POSTS, True), (TRAY, True)]
)
def test_measures_wait_for_posts_and_plays(steps: dict[str, Any], measurable: bool) -> None:
    assert is_measurable(steps, ON) is measurable
