"""Read a model's own confidence, which models write in many ways.

Calibration does not belong here: see `calibration`.
"""

import math
import re
import unicodedata

from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.models import FieldConfidence

_NUMBER = re.compile(
    r"(?P<number>\d{1,3}(?:\.\d{1,12})?|\.\d{1,12}|\d{1,2},\d{1,2}|0,\d{1,12})\s*(?P<percent>%|percent|퍼센트)?"
)
IN_WORDS = "confidence_in_words"
_HIGH = 0.8
_WORDS = {
    "very high": _HIGH,
    "high": _HIGH,
    "높음": _HIGH,
    "medium": 0.5,
    "moderate": 0.5,
    "보통": 0.5,
    "low": 0.2,
    "낮음": 0.2,
}


def read_confidences(
    overall: object, by_field: object
) -> tuple[float | None, dict[str, float | None], list[str]]:
    """The overall confidence, those of the fields, and notes (``confidence:missing``, ``field_confidence.x:what``)."""
    confidence, overall_note = read_confidence(overall)
    notes = [] if overall_note is None else [f"confidence:{overall_note}"]
    if confidence is None:
        notes.append("confidence:missing")
    read: dict[str, float | None] = {}
    stated = json_object(by_field)
    for name in FieldConfidence.model_fields:
        read[name], note = read_confidence(stated.get(name))
        if note == IN_WORDS and note is not overall_note and read[name] == _HIGH:
            # "high" beside a number is a range that holds it, and no lower number.
            read[name] = None
        if note is not None:
            notes.append(f"field_confidence.{name}:{note}")
    return confidence, read, notes


def read_confidence(value: object) -> tuple[float | None, str | None]:
    """(0 to 1 or None, note or None) from a number, ``"95%"``, ``"0,9"``, 95 or a word.

    Above 1 is a percentage up to 100; negative, larger, NaN and infinite values are rejected.
    """
    if value is None:
        return None, None
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", value[:40]).strip().casefold()
        if text in _WORDS:
            return _WORDS[text], IN_WORDS
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None, "bad_confidence"
        number = float(match["number"].replace(",", "."))
        return _share(number, percent=match["percent"] is not None or number > 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, "bad_confidence"
    return _share(value, percent=value > 1)


def _share(number: float, *, percent: bool) -> tuple[float | None, str | None]:
    # Compared before any division, because an integer may be too large for a float.
    if not 0 <= number <= (100 if percent else 1) or not math.isfinite(number):
        return None, "bad_confidence"
    return (number / 100 if percent else float(number)), None
