"""What a sample gives the Gemini stand-in to answer with, as a protocol.

How Google wraps an answer, counts its tokens and fails belongs in `gemini_standin.py` and beside it; what is said of
whom belongs in a domain's sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class GeminiSubject:
    """What one request is about.

    `behaviour` is an odd behaviour that the sample gives this subject, or empty; the words are those of
    `gemini_standin`. `is_known` is False where the sample recognises the question and does not hold its subject: then
    a sample that does hold it answers instead.
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
        """What is said of it, in the manner of `behaviour` as far as that concerns the words."""


NOTHING_KNOWN = GeminiAnswer("Simulated answer of the local stand-in: no sample holds what was asked for.")
