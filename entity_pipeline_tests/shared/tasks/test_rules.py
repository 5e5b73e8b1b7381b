"""Waits after a failed attempt, and the share of those that have been due longest."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.shared.tasks.rules import places_of_the_oldest, wait_after
from entity_pipeline_tests.shared.tasks.errands import COOLING, OTHER, POLICIES, QUEUE


@pytest.mark.parametrize(
    ("kind", "attempts", "minutes"),
    [
        (COOLING, 1, 5),
        (COOLING, 2, 15),
        (COOLING, 3, None),
        (COOLING, 4, None),
        (OTHER, 1, 5),
        (OTHER, 2, 15),
        (OTHER, 3, 45),
        (OTHER, 4, None),
        (OTHER, 5, None),
    ],
)
def test_a_kind_of_failure_has_its_waits_and_its_final_attempt(
    kind: str, attempts: int, minutes: int | None
) -> None:
    wait = timedelta(minutes=minutes) if minutes else None
    assert wait_after(POLICIES[kind], attempts, QUEUE.most_attempts) == wait


@pytest.mark.parametrize(("attempts", "is_final"), [(1, False), (2, True), (3, True)])
def test_a_task_may_have_fewer_attempts_than_its_policy(attempts: int, is_final: bool) -> None:
    assert (wait_after(POLICIES[OTHER], attempts, 2) is None) is is_final


def test_a_task_has_the_attempts_of_the_most_patient_policy() -> None:
    assert QUEUE.most_attempts == 4


@pytest.mark.parametrize(
    ("places", "drawn", "expected"),
    [(1, 0.0, 0), (1, 0.89, 0), (1, 0.91, 1), (10, 0.0, 1), (10, 0.99, 1), (25, 0.4, 2), (25, 0.6, 3)],
)
def test_one_place_in_ten_goes_to_the_oldest(places: int, drawn: float, expected: int) -> None:
    assert places_of_the_oldest(places, drawn) == expected


@given(places=st.integers(1, 1_000), drawn=st.floats(0, 1, exclude_max=True))
def test_the_oldest_never_get_more_than_there_is_nor_nine_tenths_of_a_place_less_than_their_part(
    places: int, drawn: float
) -> None:
    given_ = places_of_the_oldest(places, drawn)
    assert 0 <= given_ <= places
    assert abs(given_ - places / 10) <= 1
