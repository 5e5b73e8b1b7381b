"""`Request`: everything that is sent to Gemini in one request, and the form in which the ledger keeps it.

The caller, the subject and whether to pay are a `Call` (`core/gemini/call.py`). The form of a request on the wire
belongs in `resources/gemini/client.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Tool(StrEnum):
    """A tool that the model may use; the only one so far makes the request a grounded one."""

    GOOGLE_SEARCH = "google_search"


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text of the user's turn."""

    text: str


# A picture will be a second kind of part.
Part = Text


@dataclass(frozen=True, slots=True)
class Generation:
    """How to answer. `max_output_tokens` includes thinking, which `thinking_budget` bounds; both are in tokens."""

    max_output_tokens: int = 2_048
    thinking_budget: int = 512
    temperature: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to one model: the system instruction, the parts of the user's turn, tools and settings."""

    model: str
    system: str
    parts: tuple[Part, ...]
    tools: tuple[Tool, ...] = ()
    generation: Generation = Generation()

    @property
    def grounded(self) -> bool:
        """Whether Google Search may be used, which counts against a grounding pool."""
        return Tool.GOOGLE_SEARCH in self.tools

    @property
    def text(self) -> str:
        """The texts of all parts, joined."""
        return "".join(part.text for part in self.parts)

    @property
    def most_prompt_tokens(self) -> int:
        """An upper bound of the prompt's tokens: a token is at least one byte of text."""
        return len(self.system.encode()) + len(self.text.encode())

    def settings(self) -> Mapping[str, Any]:
        """The parts that hold no personal data: the model, its tools and the generation settings."""
        return {
            "model": self.model,
            "tools": list(map(str, self.tools)),
            "generation": asdict(self.generation),
        }

    def texts(self) -> Mapping[str, Any]:
        """The texts that are sent."""
        return {"system": self.system, "parts": [{"text": part.text} for part in self.parts]}
