"""Confidence as written, as calibrated, and as capped by the grounding."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.settings import parse
from entity_pipeline.domains.entities.models import Evidence, FieldConfidence, Grounding, Review
from entity_pipeline.domains.entities.reviews.logic.calibration import (
    Calibrated,
    calibrate,
    mapped,
    raw_confidence,
)
from entity_pipeline.domains.entities.reviews.logic.confidence import read_confidence
from entity_pipeline.domains.entities.settings import EntitySettings

EVIDENCE = Evidence("claim", 0, "https://example.org/", None, True)
GROUNDED = Grounding(True, 2, 1, (EVIDENCE,), ("q",))


@pytest.mark.parametrize(
    ("value", "share"),
    [(0.93, 0.93), (0, 0.0),
     (1, 1.0), (1.0, 1.0), (95, 0.95), (100, 1.0), ("0.9", 0.9), ("0,9", 0.9), (".9", 0.9),
     ("1", 1.0), ("95%", 0.95), ("95 %", 0.95), ("９５％", 0.95), ("1%", 0.01), ("95,5%", 0.955), ("95", 0.95),
     ("95 percent", 0.95)],
)  # fmt: skip
def test_a_confidence_is_read_as_a_share(value: object, share: float) -> None:
    found, note = read_confidence(value)
    assert found == pytest.approx(share)
    assert note is None


@pytest.mark.parametrize(
    "value",
    [-0.1, 101, 1e9, math.nan, math.inf, -math.inf, 10**400, True, [], {}, "", "nan", "inf", "1e1", "-1",
     "101%", "1,000", "9/10", "sure", "0.9 0.8", "9" * 300],
)  # fmt: skip
def test_anything_but_a_share_is_refused(value: object) -> None:
    assert read_confidence(value) == (None, "bad_confidence")


@pytest.mark.parametrize(
    ("word", "share"), [("High", 0.8), ("very high", 0.8), ("medium", 0.5), ("낮음", 0.2)]
)
def test_a_word_never_passes_a_default_threshold(word: str, share: float) -> None:
    assert read_confidence(word) == (share, "confidence_in_words")


def test_no_value_gives_no_confidence() -> None:
    assert read_confidence(None) == (None, None)


@given(st.text() | st.floats() | st.integers() | st.none() | st.lists(st.integers()))
def test_only_shares_come_out(value: object) -> None:
    share, _ = read_confidence(value)
    assert share is None or 0 <= share <= 1


@pytest.mark.parametrize(
    ("overall", "fields", "raw"),
    [
        (0.9, {}, 0.9),
        (0.9, {"account_type": 0.7}, 0.7),
        (0.9, {"account_type": 0.95, "account_role": 0.6}, 0.6),
        (0.4, {"account_type": 0.95, "account_role": 0.6}, 0.4),
        (0.9, {"name_ko": 0.1}, 0.9),
    ],
)
def test_the_raw_confidence_is_the_least_of_overall_type_and_role(
    overall: float, fields: dict[str, float], raw: float
) -> None:
    assert raw_confidence(Review(confidence=overall, field_confidence=FieldConfidence(**fields))) == raw


@pytest.mark.parametrize(
    ("grounding", "expected"),
    [
        (GROUNDED, 0.98),
        (Grounding(False, 0, 0, (), ()), 0.5),
        (Grounding(False, 0, 0, (), ("q",)), 0.7),
        (Grounding(False, 2, 1, (EVIDENCE,), ()), 0.5),
    ],
)
def test_the_grounding_caps_the_confidence_and_leaves_the_raw_one(
    grounding: Grounding, expected: float
) -> None:
    review = Review(confidence=0.98, account_type="brand")
    assert calibrate(review, grounding, parse(EntitySettings, {})) == Calibrated(
        raw=0.98, confidence=expected
    )


@pytest.mark.parametrize(("account_type", "expected"), [("brand", 0.6), ("artist", 0.9), ("other", 0.9)])
def test_calibration_is_per_type(account_type: str, expected: float) -> None:
    settings = parse(EntitySettings, {"calibration": {"brand": [[0.8, 0.5], [1.0, 0.7]]}})
    found = calibrate(Review(confidence=0.9, account_type=account_type), GROUNDED, settings)
    assert found.raw == 0.9
    assert found.confidence == pytest.approx(expected)


def test_the_cap_comes_after_the_calibration() -> None:
    settings = parse(EntitySettings, {"calibration": {"brand": [[0.5, 0.1], [1.0, 1.0]]}})
    unproven = Grounding(False, 0, 0, (), ())
    found = calibrate(Review(confidence=0.9, account_type="brand"), unproven, settings)
    assert found.confidence == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("points", "raw", "expected"),
    [
        ([], 0.7, 0.7),
        ([(0.5, 0.4)], 0.25, 0.2),
        ([(0.5, 0.4)], 0.5, 0.4),
        ([(0.5, 0.4)], 0.9, 0.4),
        ([(0.9, 0.8), (0.5, 0.4)], 0.7, 0.6),
        ([(0.5, 0.9), (0.9, 0.6)], 0.5, 0.6),
        ([(0.5, 0.9), (0.5, 0.3)], 0.5, 0.9),
        ([(0.0, 0.2), (1.0, 0.8)], 0.5, 0.5),
        ([(1.0, 0.7)], 1.0, 0.7),
    ],
)
def test_points_are_joined_by_straight_lines(points: Any, raw: float, expected: float) -> None:
    assert mapped(raw, points) == pytest.approx(expected)


shares = st.floats(0, 1)


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=6), shares, shares)
def test_a_higher_raw_confidence_never_maps_lower(
    points: list[tuple[float, float]], a: float, b: float
) -> None:
    low, high = sorted((a, b))
    assert 0 <= mapped(low, points) <= mapped(high, points) + 1e-9 <= 1 + 1e-9
