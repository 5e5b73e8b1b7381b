"""From a model's own confidence to one that may be compared with a threshold. Raw and calibrated stay
apart.

Surprising: models over-rate themselves by up to 26 points (services.md), so what search did not prove is
capped here whatever the model says.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from entity_pipeline.domains.entities.models import Grounding, Review
from entity_pipeline.domains.entities.settings import EntitySettings

UNGROUNDED_CAP = 0.5  # no search took place
NO_CHUNKS_CAP = 0.7  # a search took place and returned nothing citable

_NUMBER = re.compile(
    r"(?P<number>\d{1,3}(?:\.\d{1,12})?|\.\d{1,12}|\d{1,2},\d{1,2}|0,\d{1,12})\s*(?P<percent>%|percent|퍼센트)?"
)
_WORDS = {
    "very high": 0.8,
    "high": 0.8,
    "높음": 0.8,
    "medium": 0.5,
    "moderate": 0.5,
    "보통": 0.5,
    "low": 0.2,
    "낮음": 0.2,
}


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`raw` is what the model claims for type and role; `confidence` is calibrated and capped; 0 to 1."""

    raw: float
    confidence: float


def calibrate(review: Review, grounding: Grounding, settings: EntitySettings) -> Calibrated:
    """Raw confidence, mapped by the type's calibration points if any, then capped by the grounding."""
    raw = raw_confidence(review)
    points = next((line for name, line in settings.calibration.items() if name == review.account_type), ())
    return Calibrated(raw=raw, confidence=min(mapped(raw, points), grounding_cap(grounding)))


def raw_confidence(review: Review) -> float:
    """The least of the overall confidence and those given for type and role."""
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

    It never decreases: where points do, the lower value wins. Without points, `raw` itself.
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


def read_confidence(value: object) -> tuple[float | None, str | None]:
    """(0 to 1 or None, note or None) from a number, ``"95%"``, ``"0,9"``, 95 or a word.

    Above 1 is a percentage up to 100; negative, larger, NaN and infinite values are refused.
    """
    if value is None:
        return None, None
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", value[:40]).strip().casefold()
        if text in _WORDS:
            return _WORDS[text], "confidence_in_words"
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None, "bad_confidence"
        number = float(match["number"].replace(",", "."))
        return _share(number, percent=match["percent"] is not None or number > 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, "bad_confidence"
    return _share(value, percent=value > 1)


def _share(number: float, *, percent: bool) -> tuple[float | None, str | None]:
    # Compared before any division: an integer may be too large for a float.
    if not 0 <= number <= (100 if percent else 1) or not math.isfinite(number):
        return None, "bad_confidence"
    return (number / 100 if percent else float(number)), None
