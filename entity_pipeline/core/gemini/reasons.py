"""Reasons of everything that asks Gemini; their words are in `core/gemini/texts`."""

from entity_pipeline.core.reasons import Reason

PACKAGE = "entity_pipeline.core.gemini"


def because(key: str, **values: object) -> Reason:
    """A reason of this package."""
    return Reason(PACKAGE, key, values)
