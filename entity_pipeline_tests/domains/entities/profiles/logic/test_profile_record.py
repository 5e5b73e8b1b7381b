"""What one look at a profile changes in the stored backfill and in the catalog columns."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.objects import StoredObject
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.profiles.logic.column_values import (
    fields_to_write,
    fingerprint,
    is_reassigned,
    visible_text,
)
from entity_pipeline.domains.entities.profiles.logic.profile_record import merge_attempt, record_written
from entity_pipeline.domains.entities.profiles.logic.stored_backfill import HISTORY, ProfileBackfill

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MANY = 50


def profile(instagram_id: str = "25025320", **fields: Any) -> InstagramProfile:
    shown = {"display_name": "젠틀몬스터", "bio": "Eyewear", "picture_url": "https://x.cdninstagram.com/p"}
    return InstagramProfile(instagram_id=instagram_id, username="gentlemonster", **(shown | fields))


FINDINGS = {finding.value for finding in Finding}
WORDS = [
    *(finding.value for finding in Finding if finding is not Finding.UNANSWERED),
    *(seat.value for seat in SeatOutcome if seat is not SeatOutcome.OK),
]


def ended(
    outcome: str, canary: bool | None = None, found: InstagramProfile | None = None
) -> Result[InstagramProfile]:
    """A result whose word is `outcome`."""
    if outcome in FINDINGS:
        value = (found or profile()) if outcome == "found" else None
        return Result(Finding(outcome), value, source="anonymous:direct", canary=canary)
    return Result(Finding.UNANSWERED, None, SeatOutcome(outcome), source="anonymous:direct", canary=canary)


def account(**fields: Any) -> Account:
    return Account(id=UUID(int=1), username="gentlemonster", handle="gentlemonster", **fields)


Step = tuple[str, float, bool | None]  # outcome, hours after the one before, canary


def after(steps: Sequence[Step], max_attempts: int = MANY) -> ProfileBackfill:
    backfill: Any = {}
    now = NOW
    for outcome, hours, canary in steps:
        now += timedelta(hours=hours)
        backfill = merge_attempt(backfill, ended(outcome, canary), now, max_attempts)
    return cast(ProfileBackfill, backfill)


def test_a_found_profile_is_kept_with_its_id_and_source() -> None:
    backfill = merge_attempt({}, ended("found"), NOW, 5)
    assert backfill == {
        "status": "found",
        "outcome": "found",
        "attempts": 1,
        "next_attempt_at": None,
        "fetched_at": "2026-11-20T12:00:00+00:00",
        "looked_at": "2026-11-20T12:00:00+00:00",
        "instagram_id": "25025320",
        "source": "anonymous:direct",
        "fields_written": {},
        "image": None,
        "history": [
            {
                "at": "2026-11-20T12:00:00+00:00",
                "outcome": "found",
                "source": "anonymous:direct",
                "detail": "",
                "canary": None,
                "instagram_id": "25025320",
            }
        ],
        "facts": {"is_verified": None, "follower_count": None, "external_urls": []},
        "renamed_to": None,
        "renamed_from": [],
        "reassigned_to": None,
    }


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        pytest.param([("not_found", 0, True)], "deferred", id="once is not enough"),
        pytest.param([("not_found", 0, True), ("not_found", 6, True)], "not_found", id="twice is one"),
        pytest.param([("not_found", 0, True), ("not_found", 5.9, True)], "deferred", id="too soon after"),
        pytest.param([("not_found", 0, None), ("not_found", 6, None)], "deferred", id="without a canary"),
        pytest.param(
            [("not_found", 0, False), ("not_found", 6, True)], "deferred", id="the first canary failed"
        ),
        pytest.param(
            [("not_found", 0, True), ("not_found", 6, False)], "deferred", id="the second canary failed"
        ),
        pytest.param(
            [("not_found", 0, True), ("not_found", 3, True), ("not_found", 3, True)],
            "not_found",
            id="measured from the first",
        ),
        pytest.param(
            [("not_found", 0, True), ("found", 1, True), ("not_found", 6, True)],
            "deferred",
            id="seen in between",
        ),
        pytest.param(
            [("not_found", 0, True), ("wall", 1, True), ("not_found", 6, True)],
            "not_found",
            id="a wall in between says nothing",
        ),
        pytest.param(
            [("not_found", 0, True), *[("wall", 1, True)] * 9, ("not_found", 1, True)],
            "not_found",
            id="the first is remembered however long the history",
        ),
        pytest.param([("not_found", 0, True), ("wall", 9, True)], "deferred", id="a wall confirms nothing"),
        pytest.param(
            [("not_found", 0, True), ("not_found", 3, False), ("not_found", 3, True)],
            "deferred",
            id="a canary that is missing withdraws what was believed",
        ),
        pytest.param(
            [("not_found", 0, True), ("not_found", 3, None), ("not_found", 3, True)],
            "not_found",
            id="a canary that could not be asked withdraws nothing",
        ),
    ],
)
def test_an_absence_needs_two_confirmations(steps: list[Step], status: str) -> None:
    backfill = after(steps)
    assert backfill["status"] == status
    assert (backfill["next_attempt_at"] is None) is (status == "not_found")
    assert len(backfill["history"]) <= HISTORY


@pytest.mark.parametrize(
    ("outcome", "minutes"),
    [
        ("not_found", 360),
        ("wall", 60),
        ("rate_limited", 45),
        ("challenge", 90),
        ("logged_out", 60),
        ("suspended", 60),
        ("transport", 5),
        ("upstream", 10),
        ("schema_drift", 360),
        ("budget", 60),
    ],
)
def test_each_failure_is_tried_again_after_its_own_time(outcome: str, minutes: int) -> None:
    backfill = after([(outcome, 0, True)])
    assert (backfill["status"], backfill["outcome"], backfill["attempts"]) == ("deferred", outcome, 1)
    assert backfill["next_attempt_at"] == (NOW + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(("failures", "hours"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (40, 24)])
def test_the_wait_doubles_up_to_a_day(failures: int, hours: int) -> None:
    backfill = after([("wall", 0, None)] * failures)
    assert backfill["next_attempt_at"] == (NOW + timedelta(hours=hours)).isoformat()


def test_times_are_whole_seconds_in_utc_and_never_early() -> None:
    seoul = timezone(timedelta(hours=9))
    now = datetime(2026, 11, 20, 21, 30, 0, 1, tzinfo=seoul)
    backfill = merge_attempt({}, ended("transport"), now, 2)
    assert backfill["next_attempt_at"] == "2026-11-20T12:35:01+00:00"
    assert backfill["history"][0]["at"] == "2026-11-20T12:30:01+00:00"


def test_an_account_that_is_never_read_fails_after_its_attempts() -> None:
    backfill = after([("wall", 2, None)] * 3, max_attempts=3)
    assert (backfill["status"], backfill["attempts"], backfill["next_attempt_at"]) == ("failed", 3, None)


def test_a_refresh_that_fails_keeps_what_was_found() -> None:
    steps: list[Step] = [("found", 0, None), ("wall", 1, None)]
    assert after(steps, max_attempts=2)["status"] == "deferred"
    given_up = after([*steps, ("wall", 1, None)], max_attempts=2)
    assert (given_up["status"], given_up["outcome"]) == ("found", "wall")
    assert (given_up["instagram_id"], given_up["fetched_at"]) == ("25025320", NOW.isoformat())


def test_a_name_with_another_id_is_a_reassignment() -> None:
    before = after([("found", 0, None)])
    backfill = merge_attempt(before, ended("found", found=profile("999")), NOW, 5)
    assert (backfill["status"], backfill["outcome"]) == ("found", "reassigned")
    assert backfill["instagram_id"] == "25025320"
    assert backfill["history"][-1]["instagram_id"] == "999"
    assert is_reassigned(before, profile("999"))
    assert not is_reassigned({}, profile("999"))
    assert fields_to_write(account(), profile("999"), before, "https://r2.example/p") == {}


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_ENTRY = st.fixed_dictionaries(
    {}, optional={"at": _JUNK, "outcome": st.just("not_found"), "canary": st.just(True)}
)


@given(
    st.dictionaries(st.sampled_from([*ProfileBackfill.__annotations__]), _JUNK | st.lists(_ENTRY)),
    st.sampled_from(WORDS),
    st.booleans(),
)
def test_whatever_is_stored_the_result_is_whole_and_json(
    previous: dict[str, Any], outcome: str, canary: bool
) -> None:
    backfill = merge_attempt(previous, ended(outcome, canary), NOW, 3)
    assert set(backfill) == set(ProfileBackfill.__annotations__)
    assert backfill["status"] in {"found", "not_found", "deferred", "failed"}
    assert backfill["status"] != "not_found"
    assert len(backfill["history"]) <= HISTORY
    json.dumps(backfill)
    fields_to_write(account(), profile(), previous)


@pytest.mark.parametrize("previous", ["gone", ["found"], 7, True, None])
def test_a_backfill_replaced_by_any_other_value_counts_as_none(previous: Any) -> None:
    assert merge_attempt(previous, ended("found"), NOW, 5) == merge_attempt({}, ended("found"), NOW, 5)
    assert fields_to_write(account(), profile(), previous) == fields_to_write(account(), profile(), {})


PICTURE = "https://r2.example/instagram/ab.jpg"
FILLED = {"display_name": "젠틀몬스터", "bio": "Eyewear", "profile_image_url": PICTURE}
OURS = {"fields_written": {"bio": fingerprint("our bio")}}


@pytest.mark.parametrize(
    ("row", "previous", "shown", "image_url", "expected"),
    [
        pytest.param({}, {}, {}, PICTURE, FILLED, id="all empty"),
        pytest.param({"bio": "  "}, {}, {"display_name": None}, None, {"bio": "Eyewear"}, id="blank is empty"),
        pytest.param({"bio": "a person's"}, {}, {"display_name": None}, None, {}, id="a person wrote it"),
        pytest.param({"bio": "our bio"}, OURS, {"display_name": None}, None, {"bio": "Eyewear"}, id="ours, unchanged"),
        pytest.param({"bio": "our bio!"}, OURS, {"display_name": None}, None, {}, id="ours, edited"),
        pytest.param({"bio": None}, OURS, {"display_name": None}, None, {}, id="ours, cleared by a person"),
        pytest.param({"bio": "our bio"}, OURS, {"bio": None, "display_name": None}, None, {}, id="never emptied"),
        pytest.param({"bio": "Eyewear"}, {}, {"display_name": None}, None, {}, id="the same already"),
        pytest.param({}, {}, {"bio": "\u200b\u202e", "display_name": "\u3164"}, None, {}, id="nothing to see"),
    ],
)  # fmt: skip
def test_people_win(
    row: dict[str, Any],
    previous: dict[str, Any],
    shown: dict[str, Any],
    image_url: str | None,
    expected: dict[str, str],
) -> None:
    assert fields_to_write(account(**row), profile(**shown), previous, image_url) == expected


def test_what_was_written_is_ours_at_the_next_look_and_writing_again_does_nothing() -> None:
    backfill = merge_attempt({}, ended("found"), NOW, 5)
    written = fields_to_write(account(), profile(), backfill, PICTURE)
    image = {"key": "ab.jpg", "url": PICTURE, "sha256": "ab", "bytes": 9, "content_type": "image/jpeg"}
    remembered = record_written(backfill, written, StoredObject(**image))  # type: ignore[arg-type]
    assert set(remembered["fields_written"]) == {"display_name", "bio", "profile_image_url"}
    assert remembered["image"] == image
    row = account(**written)
    assert fields_to_write(row, profile(), remembered, PICTURE) == {}
    assert fields_to_write(row, profile(bio="New"), remembered, PICTURE) == {"bio": "New"}
    again = merge_attempt(remembered, ended("found"), NOW, 5)
    assert (again["fields_written"], again["image"]) == (remembered["fields_written"], image)


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        (None, 10, None),
        ("", 10, None),
        (" \n ", 10, None),
        ("젠틀몬스터", 10, "젠틀몬스터"),
        ("a\x00b\x07c", 10, "abc"),
        ("a\u200bb\ufeffc\u202ed\u2066e", 10, "abcde"),
        ("a\ud800b", 10, "ab"),
        ("one\r\ntwo\u2028three", 20, "one\ntwo\nthree"),
        ("a\u00a0 \t b", 10, "a b"),
        ("👩‍👧 ❤️", 10, "👩‍👧 ❤️"),
        ("\u200d\ufe0f", 10, None),
        ("e\u0301", 10, "é"),
        ("abcdef", 3, "abc"),
        ("ab cdef", 3, "ab"),
    ],
)
def test_only_what_a_reader_sees_is_stored(text: str | None, longest: int, expected: str | None) -> None:
    assert visible_text(text, longest) == expected


@given(st.text(alphabet=st.characters()), st.integers(1, 50))
def test_stored_text_fits_and_a_database_takes_it(text: str, longest: int) -> None:
    shown = visible_text(text, longest)
    assert shown is None or (0 < len(shown) <= longest and "\x00" not in shown and shown.encode())
    assert shown is None or visible_text(shown, longest) == shown
