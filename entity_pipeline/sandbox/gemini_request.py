"""Read from the body of a generateContent request what the stand-in must know about any question."""

from collections.abc import Iterator, Mapping
from typing import Any


def wants_search(request: Mapping[str, Any]) -> bool:
    """Whether the Google Search tool is among the tools, in either spelling the API takes."""
    tools = request.get("tools")
    return any(
        isinstance(tool, Mapping) and ("googleSearch" in tool or "google_search" in tool)
        for tool in (tools if isinstance(tools, list) else [])
    )


def wants_json(request: Mapping[str, Any]) -> bool:
    """Whether the request asks for JSON, by its MIME type or by a schema."""
    config = request.get("generationConfig")
    if not isinstance(config, Mapping):
        return False
    return config.get("responseMimeType") == "application/json" or bool(
        config.get("responseSchema") or config.get("responseJsonSchema")
    )


def prompt_tokens(request: Mapping[str, Any], model: str) -> int:
    """A plausible count for the texts and pictures that were sent."""
    contents = request.get("contents")
    texts = [*texts_of(contents), *texts_of([request.get("systemInstruction")])]
    config = request.get("generationConfig")
    resolution = config.get("mediaResolution") if isinstance(config, Mapping) else None
    each = {"MEDIA_RESOLUTION_LOW": (64, 280), "MEDIA_RESOLUTION_MEDIUM": (256, 560)}.get(
        str(resolution), (258, 1_120)
    )
    pictures = sum("inlineData" in part or "inline_data" in part for part in _parts(contents))
    return (
        sum(len(text.encode()) for text in texts) // 4 + pictures * each[not model.startswith("gemini-2.5")]
    )


def texts_of(contents: Any) -> Iterator[str]:
    """The texts of all parts; parts without text are skipped."""
    return (part["text"] for part in _parts(contents) if isinstance(part.get("text"), str))


def _parts(contents: Any) -> Iterator[Mapping[str, Any]]:
    for content in contents if isinstance(contents, list) else []:
        parts = content.get("parts") if isinstance(content, Mapping) else None
        yield from (part for part in (parts if isinstance(parts, list) else []) if isinstance(part, Mapping))
