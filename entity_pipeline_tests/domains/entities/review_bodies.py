"""Raw replies about any handle, grounded or not, for the tests of reviewing."""

from typing import Any

from entity_pipeline_tests.domains.entities.cases import WHAT_IT_IS
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import body_of, fenced, segment_of


def what_is_said(handle: str, account_type: object = "brand") -> str:
    """The cited sentence of `grounded_body`."""
    kinds = {kind.value: what for kind, what in WHAT_IT_IS.items()}
    return f"@{handle} is a {kinds.get(str(account_type), kinds['brand'])}."


def grounded_body(handle: str, *, block: str | None = None, **review: Any) -> dict[str, Any]:
    """A reply whose one cited sentence says what the account is; `block` replaces its JSON."""
    sentence = what_is_said(handle, review.get("account_type", "brand"))
    text = f"{sentence}\n\n{fenced(**review) if block is None else block}"
    metadata = {
        "webSearchQueries": [f"{handle} instagram"],
        "groundingChunks": [{"web": {"uri": "https://source.example/1", "title": "source.example"}}],
        "groundingSupports": [{"segment": segment_of(text, sentence), "groundingChunkIndices": [0]}],
    }
    return body_of(text, metadata=metadata)


def broken_body(handle: str) -> dict[str, Any]:
    """A grounded reply whose JSON never closes."""
    return grounded_body(handle, block='```json\n{"name_en": "Gentle Monster", "account_type"')


def refused_body() -> dict[str, Any]:
    """A reply that was stopped for safety; nothing in it can be repaired."""
    return {"candidates": [{"finishReason": "SAFETY"}], "modelVersion": "gemini-2.5-flash"}
