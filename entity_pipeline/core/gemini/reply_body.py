"""A raw generateContent body, read once: what every use of a reply needs of its outer shape.

The body may be any value; nothing here raises. A reply without text is normal: thinking can use up the whole token
limit, and then `parts` is missing. What the text means does not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entity_pipeline.core.jsonb import json_items, json_object

MAX_REPLY_CHARS = 100_000  # the output limit is about 1,000 tokens; anything near this is not an answer
_MAX_PARTS = 1_000
# Finish reasons of an answer that Gemini refused to give or to go on with.
REFUSALS = frozenset(
    "SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII LANGUAGE IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
    "IMAGE_RECITATION".split()
)


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """Candidate 0, the only one that is asked for.

    `text` is the visible text, all parts joined. `parts` keeps an empty text for a thought or a part without text,
    because `groundingMetadata` counts them too.
    `blocked` is the reason for which the prompt was refused, `finish` why the candidate ended, both as received.
    """

    has_candidate: bool = False
    text: str = ""
    parts: tuple[str, ...] = ()
    blocked: object = None
    finish: object = None
    grounding: Mapping[str, Any] = field(default_factory=dict)


def read_body(body: object) -> ReplyBody:
    """Read a raw body; what is absent or has another type is left at its default."""
    fields = json_object(body)
    blocked = json_object(fields.get("promptFeedback")).get("blockReason")
    candidates = json_items(fields.get("candidates"), 1)
    if not candidates or not isinstance(candidates[0], Mapping):
        return ReplyBody(blocked=blocked)
    candidate = candidates[0]
    content = json_items(json_object(candidate.get("content")).get("parts"), _MAX_PARTS)
    parts = tuple(_visible_text(json_object(part)) for part in content)
    return ReplyBody(
        has_candidate=True,
        text="".join(parts),
        parts=parts,
        blocked=blocked,
        finish=candidate.get("finishReason"),
        grounding=json_object(candidate.get("groundingMetadata")),
    )


def _visible_text(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) and part.get("thought") is not True else ""
