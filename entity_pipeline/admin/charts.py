"""Figures as shapes: where the bars of a chart are, in percent of its box. The templates draw them as SVG.

There is no viewBox on purpose: positions are percentages, so that a chart fits any width and its letters keep their
size. The content policy forbids style attributes. Charts for the Dagster UI are in `shared/reporting/charts.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_TOP = 12.0  # percent left free above the highest value, for the label of the cap
_LEAST_SHOWN = 0.8  # a day with one request is a day with something


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
    """The days with a scale that holds both the values and the cap."""

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
    highest = max([cap, *values, 1])

    def height(value: int) -> float:
        return round(value / highest * (100 - _TOP), 2)

    step = 100 / len(values)
    columns = [
        Column(
            day=day,
            value=value,
            x=round(nth * step + step * 0.12, 2),
            y=round(100 - _shown(height(value)), 2),
            width=round(step * 0.76, 2),
            height=_shown(height(value)),
            is_today=nth == len(days) - 1,
        )
        for nth, (day, value) in enumerate(days)
    ]
    half = highest // 2
    return ColumnChart(
        columns=columns,
        lines=[Line(round(100 - height(half), 2), half)] if half else [],
        cap=Line(round(100 - height(cap), 2), cap),
        first=days[0][0],
        last=days[-1][0],
        most=max(values),
        total=sum(values),
    )


def percent(value: float, whole: float) -> float:
    """`value` in percent of `whole`, 0 to 100; something is never drawn as nothing."""
    if whole <= 0:
        return 100.0 if value > 0 else 0.0
    return min(100.0, _shown(round(value / whole * 100, 2)))


def _shown(height: float) -> float:
    return max(height, _LEAST_SHOWN) if height > 0 else 0.0
