"""The call behind a stored review: its inputs, and the reply that it got."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.jsonb import json_text


@dataclass(frozen=True, slots=True)
class ReviewInputs:
    """The inputs of a review; equal inputs mean the same review. `model` is the requested one."""

    model: str
    prompt_version: str
    schema_version: str
    input_hash: str


@dataclass(frozen=True, slots=True)
class ReviewCall:
    """The call behind a record; `model_version` is the model that answered. None means unknown."""

    model: str | None = None
    model_version: str | None = None
    prompt_version: str | None = None
    schema_version: str | None = None
    input_hash: str | None = None
    usage_event_id: EventId | None = None

    @classmethod
    def of(
        cls, inputs: ReviewInputs, *, model_version: str | None = None, event_id: EventId | None = None
    ) -> "ReviewCall":
        """The call with these inputs, and the reply that it got."""
        return cls(
            model=inputs.model,
            model_version=model_version,
            prompt_version=inputs.prompt_version,
            schema_version=inputs.schema_version,
            input_hash=inputs.input_hash,
            usage_event_id=event_id,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReviewCall | None":
        """The call of a record; None if it has none of the keys."""
        if not any(name in value for name in cls.__slots__):
            return None
        return cls(**{name: json_text(value.get(name)) for name in cls.__slots__})
