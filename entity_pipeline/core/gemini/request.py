"""`Request`: everything that is sent to Gemini in one request, and the form in which the ledger keeps it.

The caller, the subject and whether to pay are a `Call` (`core/gemini/call.py`). The form of a request on the wire
belongs in `resources/gemini/wire_request.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from entity_pipeline.core.gemini.pictures import MediaResolution, Picture, most_picture_tokens


class Tool(StrEnum):
    """A tool that the model may use; the only one so far makes the request a grounded one."""

    GOOGLE_SEARCH = "google_search"


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text of the user's turn."""

    text: str


Part = Text | Picture


@dataclass(frozen=True, slots=True)
class Generation:
    """How to answer; what is None is not sent.

    `max_output_tokens` includes thinking, which `thinking_budget` bounds; both are in tokens. Newer models want a
    `thinking_level` in place of a budget, and refuse both together. `media_resolution` is that of all pictures.
    """

    max_output_tokens: int = 2_048
    thinking_budget: int | None = 512
    temperature: float | None = 0.0
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = None
    media_resolution: MediaResolution | None = None

    def __post_init__(self) -> None:
        if self.thinking_budget is not None and self.thinking_level is not None:
            raise ValueError("a request has either a thinking budget or a thinking level")

    def stated(self) -> dict[str, Any]:
        """The settings that are sent, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to one model: the system instruction, the parts of the user's turn, tools and settings.

    `response_schema` is what `lean_schema` makes; with it the answer is JSON.
    """

    model: str
    system: str
    parts: tuple[Part, ...]
    tools: tuple[Tool, ...] = ()
    generation: Generation = Generation()
    response_schema: Mapping[str, Any] | None = None

    @property
    def grounded(self) -> bool:
        """Whether Google Search may be used, which counts against a grounding pool."""
        return Tool.GOOGLE_SEARCH in self.tools

    @property
    def text(self) -> str:
        """The texts of all parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures among the parts."""
        return tuple(part for part in self.parts if isinstance(part, Picture))

    @property
    def most_prompt_tokens(self) -> int:
        """An upper bound of the prompt's tokens: a token is at least one byte of text, a schema is text too."""
        schema = json.dumps(self.response_schema, ensure_ascii=False) if self.response_schema else ""
        written = sum(len(text.encode(errors="replace")) for text in (self.system, self.text, schema))
        return written + len(self.pictures) * most_picture_tokens(
            self.model, self.generation.media_resolution
        )

    @property
    def most_output_tokens(self) -> int:
        """An upper bound of the answer's tokens, thinking included."""
        return self.generation.max_output_tokens

    def settings(self) -> Mapping[str, Any]:
        """The parts that hold no personal data: the model, its tools, the generation settings and the schema."""
        settings = {
            "model": self.model,
            "tools": list(map(str, self.tools)),
            "generation": self.generation.stated(),
        }
        return settings | {"response_schema": self.response_schema} if self.response_schema else settings

    def texts(self) -> Mapping[str, Any]:
        """The texts that are sent; of a picture its hash and size."""
        parts = [
            {"text": part.text} if isinstance(part, Text) else {"picture": part.mark()} for part in self.parts
        ]
        return {"system": self.system, "parts": parts}
