"""Recorded-like generateContent bodies for the tests of the review logic; all values in them are made up."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[4] / "data" / "gemini"

REVIEW: dict[str, Any] = {
    "name_en": "Gentle Monster",
    "name_ko": "젠틀몬스터",
    "account_type": "brand",
    "account_role": "primary",
    "entity_region_code": None,
    "country_of_origin": "KR",
    "primary_username": None,
    "confidence": 0.93,
    "field_confidence": {"account_type": 0.97, "account_role": 0.9},
    "reasoning": "The brand's site links this account.",
}


def recorded(name: str) -> dict[str, Any]:
    """The body in data/gemini/<name>.json."""
    body: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return body


def body_of(text: str, *, finish: object = "STOP", metadata: object = None) -> dict[str, Any]:
    """A body whose only part is `text`."""
    candidate: dict[str, Any] = {
        "content": {"role": "model", "parts": [{"text": text}]},
        "finishReason": finish,
    }
    if metadata is not None:
        candidate["groundingMetadata"] = metadata
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash"}


def fenced(**changes: Any) -> str:
    """The review as a fenced block, with some keys changed or added."""
    return "```json\n" + json.dumps({**REVIEW, **changes}, ensure_ascii=False) + "\n```"


def segment_of(text: str, piece: str) -> dict[str, Any]:
    """The segment of `piece` in `text`, in bytes, without startIndex where it is 0, as the API sends it."""
    start = text.encode().index(piece.encode())
    segment: dict[str, Any] = {"endIndex": start + len(piece.encode()), "text": piece}
    return {"startIndex": start, **segment} if start else segment
