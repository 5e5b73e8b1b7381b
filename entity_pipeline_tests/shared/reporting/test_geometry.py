"""The shapes of both kinds of charts, the Dagster UI's and the page's."""

from datetime import date

import pytest

from entity_pipeline.admin.charts import column_chart, percent
from entity_pipeline.shared.reporting.geometry import Box, column_boxes, highest_of, part_of


@pytest.mark.parametrize(
    ("value", "whole", "part"),
    [
        (0, 100, 0),
        (-1, 100, 0),
        (50, 100, 0.5),
        (100, 100, 1),
        (150, 100, 1),
        (1, 100_000, 0.01),
        (0, 0, 0),
        (3, 0, 1),
    ],
)
def test_a_value_is_drawn_within_the_box_and_something_is_seen(
    value: float, whole: float, part: float
) -> None:
    assert part_of(value, whole) == part


@pytest.mark.parametrize(
    ("values", "cap", "highest"),
    [([3, 5], 10, 10), ([3, 12], 10, 12), ([3, 5], None, 5), ([0, 0], 0, 1), ([], None, 1)],
)
def test_the_scale_holds_the_values_and_the_cap(
    values: list[float], cap: float | None, highest: float
) -> None:
    assert highest_of(values, cap) == highest


def test_columns_share_the_width_with_gaps_beside_them() -> None:
    first, second = column_boxes([2, 1], 2)
    assert first == Box(pytest.approx(0.06), pytest.approx(0.38), 1)
    assert second == Box(pytest.approx(0.56), pytest.approx(0.38), 0.5)
    assert column_boxes([], 1) == []


def test_the_page_leaves_room_above_the_cap_for_its_word() -> None:
    days = [(date(2026, 10, 1), 0), (date(2026, 10, 2), 725)]
    chart = column_chart(days, 1_450)
    assert (chart.cap.y, [(line.y, line.value) for line in chart.lines]) == (12, [(56, 725)])
    assert [(one.x, one.y, one.width, one.height, one.is_today) for one in chart.columns] == [
        (6, 100, 38, 0, False),
        (56, 56, 38, 44, True),
    ]
    assert (chart.most, chart.total) == (725, 725)


def test_a_meter_of_no_size_is_full_of_anything() -> None:
    assert (percent(0, 0), percent(1, 0), percent(1, 3)) == (0, 100, 33.33)
