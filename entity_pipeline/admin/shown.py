"""The base of all values that the page and the API show: immutable, and the same for both.

Instants are aware datetimes in UTC; money is a Decimal in USD. A reason is a `Reason` for the page, which shows it in
the reader's language, and its English sentence in JSON.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, InstanceOf, PlainSerializer, WithJsonSchema

from entity_pipeline.core.reasons import Reason


class Shown(BaseModel):
    """Base of the values: closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Sentence = Annotated[
    InstanceOf[Reason],
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A reason, or in JSON its English sentence."""
