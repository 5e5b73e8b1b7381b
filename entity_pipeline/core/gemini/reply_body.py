"""Reading the outer shape of a raw generateContent body, which may be anything at all.

Surprising: an answer without text is normal. Thinking can use up the whole token limit, and then `parts` is
missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_REPLY_CHARS = 100_000  # the output limit is about 1,000 tokens; anything near this is not an answer


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object, limit: int) -> Sequence[Any]:
    """The first `limit` items if the value is an array, else none."""
    return value[:limit] if isinstance(value, list) else ()


def first_candidate(body: object) -> Mapping[str, Any] | None:
    """Candidate 0, the only one that is asked for."""
    found = items(mapping(body).get("candidates"), 1)
    return found[0] if found and isinstance(found[0], Mapping) else None


def text_parts(body: object) -> list[str]:
    """The text of each part of candidate 0; a thought or a part without text is empty, to keep indices."""
    content = mapping(mapping(first_candidate(body)).get("content"))
    texts = []
    for part in items(content.get("parts"), 1_000):
        text = mapping(part).get("text")
        texts.append(text if isinstance(text, str) and mapping(part).get("thought") is not True else "")
    return texts


def reply_text(body: object) -> str:
    """The visible text of candidate 0, all parts joined; empty if there is none."""
    return "".join(text_parts(body))
