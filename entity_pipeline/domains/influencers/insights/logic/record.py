"""`blogs.insights_meta`: what the stored insights rest on, and the last answer. Pure.

Of the stored insights: `model` and `model_version` (asked and answered), `prompt_version`, `schema_version`,
`input_hash`, `usage_event_id`, `evidence` by path (a list of marks, for lists by member), `quotes`, `dropped`,
`pictures` and `posts` (how many were sent), `unmatched_topics`. `last` is the newest answer whatever it was:
`outcome` (described, refused, unreadable), `input_hash`, `usage_event_id`, `at`, `detail`. `avatar_name` belongs to
`pictures.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from entity_pipeline.core.gemini.outcomes import StoredReply
from entity_pipeline.core.jsonb import json_items, json_object, json_text
from entity_pipeline.domains.influencers.insights.logic.blog_facts import BlogFacts
from entity_pipeline.domains.influencers.insights.logic.evidence import Supported


class LastOutcome(StrEnum):
    """What the last answer was."""

    DESCRIBED = "described"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


# The same question would be answered in the same way.
_FINAL = frozenset({LastOutcome.DESCRIBED, LastOutcome.REFUSED})


def is_answered(blog: BlogFacts, input_hash: str) -> bool:
    """Whether the last answer is one to this very input, and was stored or was a refusal."""
    last = json_object(blog.insights_meta.get("last"))
    outcome = last.get("outcome")
    if last.get("input_hash") != input_hash or outcome not in _FINAL:
        return False
    return outcome == LastOutcome.REFUSED or blog.has_insights


def sent_posts(asked: object, reply: StoredReply) -> Sequence[str] | None:
    """The codes of the posts that were sent; None if the reply is to an earlier question that was not noted."""
    note = json_object(asked)
    if note.get("input_hash") != reply.input_hash:
        return None
    return [code for code in json_items(note.get("posts")) if isinstance(code, str)]


def last_answer(outcome: LastOutcome, reply: StoredReply, at: datetime, detail: str = "") -> dict[str, Any]:
    """The value of `last`."""
    return {
        "outcome": str(outcome),
        "input_hash": reply.input_hash,
        "usage_event_id": reply.event_id,
        "at": at.isoformat(timespec="seconds"),
        **({"detail": detail} if detail else {}),
    }


def meta_of(
    asked: object, reply: StoredReply, found: Supported, unmatched: Sequence[str], at: datetime
) -> dict[str, Any]:
    """The record of stored insights, without `avatar_name`."""
    note: Mapping[str, Any] = json_object(asked)
    is_same = note.get("input_hash") == reply.input_hash
    posts = json_items(note.get("posts"))
    return {
        "model": json_text(note.get("model")),
        "model_version": reply.model_version,
        "prompt_version": json_text(note.get("prompt_version")) if is_same else None,
        "schema_version": json_text(note.get("schema_version")) if is_same else None,
        "input_hash": reply.input_hash,
        "usage_event_id": reply.event_id,
        "evidence": dict(found.evidence),
        "quotes": dict(found.quotes),
        "dropped": list(found.dropped),
        "pictures": note.get("pictures") if is_same else None,
        "posts": len(posts) if is_same else None,
        "unmatched_topics": list(unmatched),
        "last": last_answer(LastOutcome.DESCRIBED, reply, at),
    }
