"""Reading the outer shape of a raw generateContent body, which may be anything at all.

Surprising: an answer without text is normal. Thinking can use up the whole token limit, and then `parts` is
missing.
"""

from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.jsonb import json_items, json_object

MAX_REPLY_CHARS = 100_000  # the output limit is about 1,000 tokens; anything near this is not an answer


def first_candidate(body: object) -> Mapping[str, Any] | None:
    """Candidate 0, the only one that is asked for."""
    found = json_items(json_object(body).get("candidates"), 1)
    return found[0] if found and isinstance(found[0], Mapping) else None


def text_parts(body: object) -> list[str]:
    """The text of each part of candidate 0; a thought or a part without text is empty, to keep indices."""
    content = json_object(json_object(first_candidate(body)).get("content"))
    texts = []
    for part in json_items(content.get("parts"), 1_000):
        text = json_object(part).get("text")
        texts.append(text if isinstance(text, str) and json_object(part).get("thought") is not True else "")
    return texts


def reply_text(body: object) -> str:
    """The visible text of candidate 0, all parts joined; empty if there is none."""
    return "".join(text_parts(body))
