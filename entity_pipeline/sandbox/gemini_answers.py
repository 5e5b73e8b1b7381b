"""The answers of a sample for the Gemini stand-in, as a protocol.

The form of a reply, its token counts and errors belong in `gemini_standin.py` and beside it; the content of answers
belongs in a domain's sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class GeminiSubject:
    """The subject of one request.

    `behaviour` is an odd behaviour that the sample gives this subject, or empty; the words are those of
    `gemini_standin`. `is_known` is False if the sample recognises the question but does not have its subject: then
    a sample that has it answers instead.
    """

    name: str
    behaviour: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class GeminiAnswer:
    """The reply's text and its `groundingMetadata` (None: the key is absent)."""

    text: str
    grounding: dict[str, Any] | None = None


class GeminiAnswers(Protocol):
    """The answers of one domain's sample."""

    def subject(self, request: Mapping[str, Any]) -> GeminiSubject | None:
        """What the body of a generateContent request is about; None if it is not this domain's question."""

    def answer(self, subject: str, behaviour: str, request: Mapping[str, Any]) -> GeminiAnswer:
        """The answer about the subject, with the odd content that `behaviour` asks for."""


NOTHING_KNOWN = GeminiAnswer("Simulated answer of the local stand-in: no sample has this subject.")
