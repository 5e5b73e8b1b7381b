"""The question about one blog: its facts, its pictures, and the hashes by which it is the same as another."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.gemini.call import Call, CallKind, Claim
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Generation, Part, Request, Text
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.domains.influencers.insights import STEP, prompts
from entity_pipeline.domains.influencers.insights.logic.ai_insights import SCHEMA_VERSION
from entity_pipeline.domains.influencers.insights.logic.blog_facts import (
    MOST_POSTS,
    BlogFacts,
    digest,
    input_hash,
    shown,
)
from entity_pipeline.domains.influencers.insights.logic.wire import response_schema
from entity_pipeline.domains.influencers.insights.pictures import AVATAR

# An answer has about 700 tokens; thinking counts, and answers of batches are cut off more often than others.
_MOST_OUTPUT = 6_000
ASKED = "asked"
WITHOUT_PICTURES = "without_pictures"
"""Keys of `scrape_tasks.steps`."""


class InsightsKind(CallKind):
    """The one kind of question."""

    INSIGHTS = "insights"


@dataclass(frozen=True, slots=True)
class Question:
    """A call, and what its task notes of it (`steps.asked`)."""

    call: Call
    note: Mapping[str, Any]

    @property
    def input_hash(self) -> str:
        """Equal inputs give the same answer."""
        return self.call.input_hash


def question(
    blog: BlogFacts, pictures: Sequence[tuple[str, Picture]], model: str, topics: Sequence[str]
) -> Question:
    """The question about a blog; `topics` are the names of the categories."""
    delimiter = secrets.token_hex(16)
    prompt = prompts.blog_prompt(shown(blog, delimiter), topics, delimiter)
    generation = _generation(model)
    config = digest(
        {
            "prompt_version": prompt.version,
            "schema_version": SCHEMA_VERSION,
            "model": model,
            "topics": list(topics),
            "generation": generation.stated(),
        }
    )
    hashed = input_hash(blog, [picture.sha256 for _, picture in pictures], config)
    request = Request(
        model=model,
        system=prompt.system,
        parts=(Text(prompt.text), *_picture_parts(pictures)),
        generation=generation,
        response_schema=response_schema(),
    )
    call = Call(
        claim=Claim(STEP, InsightsKind.INSIGHTS, blog.key),
        request=request,
        input_hash=hashed,
        config_hash=config,
        consumed_event_id=json_text(json_object(blog.insights_meta.get("last")).get("usage_event_id")),
    )
    note = {
        "model": model,
        "prompt_version": prompt.version,
        "schema_version": SCHEMA_VERSION,
        "input_hash": hashed,
        "posts": [post.code for post in blog.posts[:MOST_POSTS]],
        "pictures": len(pictures),
    }
    return Question(call, note)


def _picture_parts(pictures: Sequence[tuple[str, Picture]]) -> list[Part]:
    parts: list[Part] = []
    for of, picture in pictures:
        parts += [Text("The avatar:" if of == AVATAR else f"The picture of the post {of}:"), picture]
    return parts


def _generation(model: str) -> Generation:
    """Older models take a budget for thinking, newer ones a level and no temperature."""
    if model.startswith("gemini-2.5"):
        return Generation(_MOST_OUTPUT, thinking_budget=1_024, temperature=0.0, media_resolution="low")
    return Generation(
        _MOST_OUTPUT, thinking_budget=None, temperature=None, thinking_level="low", media_resolution="low"
    )
