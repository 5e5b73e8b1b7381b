"""The positions of a chart's columns and bars, as parts of its box (0 to 1). Pure.

The pictures of the Dagster UI (`charts.py`) and the administration page (`admin/charts.py`) share it; the SVG of a
shape and the room for letters belong to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_GAP = 0.12  # part of a step left free on each side of its column
_LEAST = 0.01  # so that a day with a single request is visible


@dataclass(frozen=True, slots=True)
class Box:
    """One column, which stands on the base line."""

    left: float
    width: float
    height: float


def part_of(value: float, whole: float) -> float:
    """`value` as a part of `whole`; a value above 0 is always visible, and 0 never is."""
    if value <= 0:
        return 0.0
    return max(min(value / whole, 1.0), _LEAST) if whole > 0 else 1.0


def highest_of(values: Sequence[float], cap: float | None) -> float:
    """The value at the top of a scale that holds both the values and the cap."""
    return max([*values, cap or 0]) or 1


def column_boxes(values: Sequence[float], highest: float) -> list[Box]:
    """One column per value, side by side over the whole width."""
    step = 1 / max(len(values), 1)
    return [
        Box((nth + _GAP) * step, (1 - 2 * _GAP) * step, part_of(value, highest))
        for nth, value in enumerate(values)
    ]
