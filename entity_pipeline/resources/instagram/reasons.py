"""Why nothing is sent, as values. The words are in `texts/`."""

from typing import Any

from entity_pipeline.core.reasons import Reason


def reason(key: str, **values: Any) -> Reason:
    """A reason of this package."""
    return Reason("entity_pipeline.resources.instagram", key, values)
