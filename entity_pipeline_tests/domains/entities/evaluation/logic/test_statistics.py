import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.proportions import wilson_interval, wilson_lower
from entity_pipeline.domains.entities.evaluation.logic.statistics import (
    ScoreBlock,
    calibration_points,
    isotonic,
    needed_without_fault,
    sign_test,
)
from entity_pipeline.domains.entities.reviews.logic.calibration import mapped

CASES = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.7, 0.9, 0.95, 0.99]), st.booleans()), max_size=60)


@pytest.mark.parametrize(
    ("right", "total", "z", "expected"),
    [
        (81, 263, 1.959964, 0.2553),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, 1.959964, 0.0624),
        (0, 20, 1.959964, 0.0),
        (1, 29, 1.959964, 0.0061),
        (50, 50, 1.6448536, 0.9487),
        (0, 0, 1.6448536, 0.0),
    ],
)
def test_the_lower_bound_is_that_of_the_literature(right: int, total: int, z: float, expected: float) -> None:
    assert wilson_lower(right, total, z) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("right", "total", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (0, 0, (0.0, 1.0))],
)
def test_both_bounds_are_those_of_the_literature(
    right: int, total: int, expected: tuple[float, float]
) -> None:
    assert wilson_interval(right, total) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("precision", "needed"), [(0.9, 25), (0.95, 52), (0.98, 133), (0.99, 268)])
def test_just_enough_accounts_without_an_error_prove_it_and_one_fewer_does_not(
    precision: float, needed: int
) -> None:
    assert needed_without_fault(precision) == needed
    assert wilson_lower(needed, needed) >= precision > wilson_lower(needed - 1, needed - 1)


def test_nothing_proves_a_precision_of_one() -> None:
    assert needed_without_fault(1.0) is None


@pytest.mark.parametrize(
    ("first", "second", "chance"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (9, 1, 0.021484375)],
)
def test_the_sign_test_is_exact(first: int, second: int, chance: float) -> None:
    assert sign_test(first, second) == pytest.approx(chance)


def test_neighbours_that_decrease_are_pooled() -> None:
    # R. E. Barlow et al., Statistical Inference under Order Restrictions (1972): 1 3 2 4 3.5 5 of equal weight.
    values = [1.0, 3.0, 2.0, 4.0, 3.5, 5.0]
    steps = isotonic(ScoreBlock(float(place), float(place), 1, value) for place, value in enumerate(values))
    assert [(step.low, step.high, step.value) for step in steps] == [
        (0, 0, 1.0),
        (1, 2, 2.5),
        (3, 4, 3.75),
        (5, 5, 5.0),
    ]


def test_a_long_fall_is_one_step_of_the_weighted_mean() -> None:
    steps = isotonic([ScoreBlock(0, 0, 1, 1.0), ScoreBlock(1, 1, 3, 0.5), ScoreBlock(2, 2, 2, 0.0)])
    assert steps == [ScoreBlock(0, 2, 6, pytest.approx(2.5 / 6))]


@given(CASES)
def test_points_never_decrease_stay_inside_and_are_what_the_calibration_takes(
    cases: list[tuple[float, bool]],
) -> None:
    points = calibration_points(cases)
    assert all(low[0] <= high[0] and low[1] <= high[1] for low, high in pairwise(points))
    assert all(0 < value < 1 for _, value in points)
    for raw, value in points:
        assert mapped(raw, points) == pytest.approx(value, abs=1e-9)


def test_a_step_of_few_cases_claims_little_and_one_of_many_what_it_saw() -> None:
    assert calibration_points([(0.99, True)] * 2) == [(0.99, 0.75)]
    ((_, value),) = calibration_points([(0.9, number % 10 != 0) for number in range(1_000)])
    assert math.isclose(value, 901 / 1002, abs_tol=1e-4)
