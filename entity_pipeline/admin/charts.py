"""The positions of a chart's bars, in percent of its box. The templates draw them as SVG.

There is no viewBox, because positions in percent let a chart fit any width while its letters keep their size. The
content policy forbids style attributes. The geometry is in `shared/reporting/geometry.py`, and charts for the Dagster
UI are in `shared/reporting/charts.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from entity_pipeline.shared.reporting.geometry import column_boxes, highest_of, part_of

_TOP = 12.0  # percent left free above the highest value, for the label of the cap


@dataclass(frozen=True, slots=True)
class Column:
    """One day. `x`, `y`, `width` and `height` in percent of the chart."""

    day: date
    value: int
    x: float
    y: float
    width: float
    height: float
    is_today: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A horizontal line with its value; `y` in percent."""

    y: float
    value: int


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """The days, with a scale that fits both the values and the cap."""

    columns: Sequence[Column]
    lines: Sequence[Line]
    cap: Line
    first: date
    last: date
    most: int
    total: int


def column_chart(days: Sequence[tuple[date, int]], cap: int) -> ColumnChart:
    """One column per day, oldest first, the last one today."""
    values = [value for _, value in days]
    highest = highest_of(values, cap)

    def height(part: float) -> float:
        return round(part * (100 - _TOP), 2)

    def line(value: int) -> Line:
        return Line(round(100 - height(part_of(value, highest)), 2), value)

    columns = [
        Column(
            day=day,
            value=value,
            x=round(box.left * 100, 2),
            y=round(100 - height(box.height), 2),
            width=round(box.width * 100, 2),
            height=height(box.height),
            is_today=day == days[-1][0],
        )
        for (day, value), box in zip(days, column_boxes(values, highest), strict=True)
    ]
    half = int(highest // 2)
    return ColumnChart(
        columns=columns,
        lines=[line(half)] if half else [],
        cap=line(cap),
        first=days[0][0],
        last=days[-1][0],
        most=max(values),
        total=sum(values),
    )


def percent(value: float, whole: float) -> float:
    """`value` in percent of `whole`, 0 to 100; a value above 0 is always visible."""
    return round(part_of(value, whole) * 100, 2)
