"""What one look at a profile, or two, say."""

from dataclasses import replace
from typing import Any

import pytest

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.scraping.logic.profile_verdict import (
    Look,
    Seen,
    needs_look_by_id,
    verdict,
)
from entity_pipeline_tests.domains.influencers.scraping.blogger import DRIFT, FOUND, NOT_THERE, PK, PROFILE

STRANGER = replace(FOUND, value=replace(PROFILE, instagram_id="777"))
HIDDEN: Look = Result(Finding.PRIVATE)
BLOCKED = replace(NOT_THERE, canary=False)


@pytest.mark.parametrize(
    ("look", "known", "needed"),
    [
        (FOUND, None, False),
        (FOUND, PK, False),
        (STRANGER, PK, True),
        (STRANGER, None, False),
        (NOT_THERE, PK, True),
        (NOT_THERE, None, False),
        (DRIFT, PK, True),
        (HIDDEN, PK, False),
    ],
)
def test_the_id_is_asked_where_the_name_does_not_show_its_owner(
    look: Look, known: int | None, needed: bool
) -> None:
    assert needs_look_by_id(look, known) is needed


@pytest.mark.parametrize(
    ("by_name", "by_id", "seen"),
    [
        pytest.param(FOUND, None, Seen.FOUND, id="found"),
        pytest.param(
            replace(FOUND, value=replace(PROFILE, is_private=True)), None, Seen.PRIVATE, id="private"
        ),
        pytest.param(HIDDEN, None, Seen.PRIVATE, id="private and not shown"),
        pytest.param(NOT_THERE, None, Seen.ABSENT, id="not found"),
        pytest.param(replace(NOT_THERE, canary=None), None, Seen.ABSENT, id="not found, no canary asked"),
        pytest.param(BLOCKED, None, Seen.BLOCKED, id="not found, and no canary"),
        pytest.param(DRIFT, None, Seen.UNREADABLE, id="drift"),
        pytest.param(Result(Finding.RESTRICTED), None, Seen.UNREADABLE, id="restricted"),
        pytest.param(
            Result(Finding.UNANSWERED, seat=SeatOutcome.UPSTREAM), None, Seen.UNREADABLE, id="upstream"
        ),
        pytest.param(NOT_THERE, FOUND, Seen.FOUND, id="renamed"),
        pytest.param(STRANGER, FOUND, Seen.FOUND, id="renamed, and the name is reused"),
        pytest.param(NOT_THERE, NOT_THERE, Seen.ABSENT, id="gone"),
        pytest.param(NOT_THERE, BLOCKED, Seen.BLOCKED, id="the second look is blocked"),
        pytest.param(NOT_THERE, DRIFT, Seen.UNREADABLE, id="the second look is unreadable"),
        pytest.param(STRANGER, NOT_THERE, Seen.NAME_REUSED, id="gone, and the name is reused"),
        pytest.param(STRANGER, DRIFT, Seen.UNREADABLE, id="reused, and the id says nothing"),
        pytest.param(DRIFT, NOT_THERE, Seen.ABSENT, id="gone by the id alone"),
        pytest.param(STRANGER, HIDDEN, Seen.PRIVATE, id="private under another name"),
    ],
)
def test_the_verdict(by_name: Look, by_id: Look | None, seen: Seen) -> None:
    found = verdict(by_name, by_id)
    assert (found.seen, found.look) == (seen, by_id or by_name)
    assert found.profile is (by_id or by_name).value


@pytest.mark.parametrize("seat", SeatOutcome)
def test_only_a_refusal_of_the_seat_is_worth_another_seat(seat: SeatOutcome) -> None:
    refusals = {"wall", "rate_limited", "challenge", "logged_out", "suspended"}
    refused: Result[Any] = Result(Finding.UNANSWERED, seat=seat)
    assert refused.is_refused is (seat.value in refusals)
    assert not replace(FOUND, seat=seat).is_refused
