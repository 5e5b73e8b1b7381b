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


def prompt_bytes(request: Mapping[str, Any]) -> int:
    """Length of all the text that was sent, for a plausible token count."""
    texts = [*texts_of(request.get("contents")), *texts_of([request.get("systemInstruction")])]
    return sum(len(text.encode()) for text in texts)


def texts_of(contents: Any) -> Iterator[str]:
    """The texts of all parts; parts without text are skipped."""
    for content in contents if isinstance(contents, list) else []:
        parts = content.get("parts") if isinstance(content, Mapping) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield part["text"]
