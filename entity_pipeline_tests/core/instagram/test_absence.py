"""When "not found" is believed."""

from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.instagram.absence import Sighting, counting_absences, is_confirmed, places_to_keep

START = datetime(2026, 11, 20, tzinfo=UTC)


def gone(hours: float, canary: bool | None = True) -> Sighting:
    return Sighting(START + timedelta(hours=hours), not_found=True, canary=canary)


def seen(hours: float) -> Sighting:
    return Sighting(START + timedelta(hours=hours), seen=True)


def other(hours: float) -> Sighting:
    return Sighting(START + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("sightings", "confirmed"),
    [
        pytest.param([], False, id="never looked"),
        pytest.param([gone(0)], False, id="once is not a fact"),
        pytest.param([gone(0), gone(6)], True, id="twice, six hours apart"),
        pytest.param([gone(0), gone(5.9)], False, id="too soon after"),
        pytest.param([gone(0, None), gone(6, None)], False, id="without a canary"),
        pytest.param([gone(0, False), gone(6)], False, id="the first canary was missing"),
        pytest.param([gone(0), gone(6, False)], False, id="the second canary was missing"),
        pytest.param([gone(0), gone(3, False), gone(9)], False, id="a missing canary withdraws what came before"),
        pytest.param([gone(0), gone(3, None), gone(6)], True, id="a canary that could not be asked withdraws nothing"),
        pytest.param([gone(0), seen(1), gone(6)], False, id="seen in between"),
        pytest.param([gone(0), other(1), gone(6)], True, id="a refusal in between says nothing"),
        pytest.param([gone(0), gone(6), other(7)], False, id="a refusal confirms nothing"),
        pytest.param([Sighting(None, not_found=True, canary=True), gone(6)], False, id="a time that can't be read"),
    ],
)  # fmt: skip
def test_an_absence_needs_two_confirmations(sightings: list[Sighting], confirmed: bool) -> None:
    assert is_confirmed(sightings) is confirmed


def test_the_absences_that_count_are_named_by_place() -> None:
    assert counting_absences([gone(0), seen(1), gone(2), other(3), gone(4, None), gone(5)]) == [2, 5]


def test_the_first_absence_that_counts_is_kept_however_many_looks_follow() -> None:
    looks = [gone(0), *(other(hours) for hours in range(1, 6))]
    assert places_to_keep(looks, 5) == [0, 2, 3, 4, 5]
    assert places_to_keep([seen(0), *looks[1:]], 5) == [1, 2, 3, 4, 5]
    assert places_to_keep(looks[:3], 5) == [0, 1, 2]
    assert places_to_keep([], 5) == []
