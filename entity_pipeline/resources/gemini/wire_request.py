"""A request as REST takes it, for the lines of a batch.

`client.py` sends single requests by the SDK's own types; a test holds the two equal on the wire.
"""

import base64
from typing import Any

from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Part, Request

JSON = "application/json"


def wire_request(request: Request) -> dict[str, Any]:
    """The body of a GenerateContentRequest without its model. Pictures are read here."""
    generation = request.generation
    thinking = {
        "thinkingBudget": generation.thinking_budget,
        "thinkingLevel": _upper(generation.thinking_level),
    }
    resolution = generation.media_resolution
    config = {
        "temperature": generation.temperature,
        "maxOutputTokens": generation.max_output_tokens,
        "thinkingConfig": _stated(thinking) or None,
        "mediaResolution": f"MEDIA_RESOLUTION_{resolution.upper()}" if resolution else None,
        "responseMimeType": JSON if request.response_schema else None,
        "responseSchema": request.response_schema,
    }
    body = {
        "contents": [{"role": "user", "parts": [_part(part) for part in request.parts]}],
        "systemInstruction": {"role": "user", "parts": [{"text": request.system}]},
        "generationConfig": _stated(config),
    }
    return body | {"tools": [{"googleSearch": {}}]} if request.grounded else body


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Picture):
        data = base64.b64encode(part.content()).decode("ascii")
        return {"inlineData": {"mimeType": part.mime_type, "data": data}}
    return {"text": part.text}


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _upper(word: str | None) -> str | None:
    return word.upper() if word else None
