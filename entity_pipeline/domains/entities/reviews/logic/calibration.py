"""From a model's own confidence to one that can be compared with a threshold. Raw and calibrated values stay separate.

Models overrate themselves by up to 26 points, so a confidence without proof by the search is capped here, whatever the
model says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from entity_pipeline.domains.entities.models import Grounding, Review
from entity_pipeline.domains.entities.settings import EntitySettings

UNGROUNDED_CAP = 0.5  # no search took place
NO_CHUNKS_CAP = 0.7  # a search took place and returned nothing citable


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`raw` is the model's confidence in type and role; `confidence` is calibrated and capped. Both are 0 to 1."""

    raw: float
    confidence: float


def calibrate(review: Review, grounding: Grounding, settings: EntitySettings) -> Calibrated:
    """Raw confidence, mapped by the type's calibration points if any, then capped by the grounding."""
    raw = raw_confidence(review)
    points = next((line for name, line in settings.calibration.items() if name == review.account_type), ())
    return Calibrated(raw=raw, confidence=min(mapped(raw, points), grounding_cap(grounding)))


def raw_confidence(review: Review) -> float:
    """The lowest of the overall confidence and those given for type and role."""
    fields = review.field_confidence
    return min(
        value for value in (review.confidence, fields.account_type, fields.account_role) if value is not None
    )


def grounding_cap(grounding: Grounding) -> float:
    """The highest confidence the grounding allows."""
    if grounding.grounded:
        return 1.0
    return NO_CHUNKS_CAP if grounding.search_queries and not grounding.chunks else UNGROUNDED_CAP


def mapped(raw: float, points: Sequence[tuple[float, float]]) -> float:
    """Piecewise linear through (0, 0) and the (raw, calibrated) points, level after the last.

    It never decreases: where the points do, the lower value wins. Without points it is `raw` itself.
    """
    if not points:
        return raw
    ordered = sorted({(0.0, 0.0), *points})
    lowest = 1.0
    monotone: list[tuple[float, float]] = []
    for x, y in reversed(ordered):
        lowest = min(lowest, y)
        monotone.append((x, lowest))
    monotone.reverse()
    for (x0, y0), (x1, y1) in pairwise(monotone):
        if x0 <= raw < x1:
            return y0 + (y1 - y0) * (raw - x0) / (x1 - x0)
    return monotone[-1][1]
