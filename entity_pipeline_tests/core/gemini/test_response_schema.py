"""The lean form of a schema, as a table of what goes in and what goes out or is refused."""

from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from entity_pipeline.core.gemini.response_schema import lean_schema


class Trend(StrEnum):
    """Two words."""

    UP = "up"
    DOWN = "down"


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid")
    city: str | None = Field(default=None, max_length=40)


class Insights(BaseModel):
    model_config = ConfigDict(extra="forbid")
    evidence: list[str] = Field(max_length=20, description="Ids of posts.")
    trend: Trend | None
    kind: Literal["shop"] = "shop"
    score: float = Field(ge=0, le=1)
    places: list[Place] = Field(default_factory=list)
    home: Place | None = None


class Tree(BaseModel):
    children: list["Tree"]


def test_nested_models_stand_in_place_without_bounds_and_all_fields_are_required() -> None:
    place = {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING", "nullable": True}},
        "required": ["city"],
        "propertyOrdering": ["city"],
    }
    names = ["evidence", "trend", "kind", "score", "places", "home"]
    assert lean_schema(Insights) == {
        "type": "OBJECT",
        "properties": {
            "evidence": {"type": "ARRAY", "items": {"type": "STRING"}, "description": "Ids of posts."},
            "trend": {
                "type": "STRING",
                "enum": ["up", "down"],
                "nullable": True,
                "description": "Two words.",
            },
            "kind": {"type": "STRING", "enum": ["shop"]},
            "score": {"type": "NUMBER"},
            "places": {"type": "ARRAY", "items": place},
            "home": place | {"nullable": True},
        },
        "required": names,
        "propertyOrdering": names,
    }


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "object", "additionalProperties": {"type": "string"}}, "free keys"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "items differ"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "union"),
        ({"type": ["string", "null"]}, "type"),
        ({"enum": [1, 2]}, "enum"),
        ({"$ref": "#/$defs/Gone"}, "Gone"),
        ({}, "type"),
    ],
)
def test_what_the_service_can_not_say_is_refused_before_anything_is_sent(
    schema: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        lean_schema(schema)


def test_a_recursive_model_is_refused_where_the_sdk_would_lose_its_items() -> None:
    with pytest.raises(ValueError, match="Tree"):
        lean_schema(Tree)
