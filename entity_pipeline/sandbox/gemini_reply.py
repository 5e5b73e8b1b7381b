"""The form of Google's reply: candidate, finish reason, token counts. The content of an answer does not belong here."""

import base64
from typing import Any

from entity_pipeline.sandbox.gemini_answers import GeminiAnswer
from entity_pipeline.sandbox.seeded import seeded_int

_NOTHING_SAID = frozenset({"recitation", "malformed_function_call", "prohibited_content"})
# Behaviours under which the answer is not sent at all.
WITHOUT_ANSWER = _NOTHING_SAID | {"prompt_blocked", "safety", "max_tokens"}


def reply_body(
    subject: str, model: str, behaviour: str, answer: GeminiAnswer, *, prompt_tokens: int, grounded: bool
) -> dict[str, Any]:
    """The body of the reply to a request with or without search."""
    usage = {
        "promptTokenCount": prompt_tokens,
        "thoughtsTokenCount": 60 + seeded_int("thoughts", subject) % 200,
    }
    envelope = {"modelVersion": model, "responseId": _response_id(subject, grounded)}
    if behaviour == "prompt_blocked":
        del usage["thoughtsTokenCount"]
        return {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": _usage(usage),
            **envelope,
        }
    if behaviour in WITHOUT_ANSWER:
        if behaviour == "max_tokens":
            usage["thoughtsTokenCount"] = 1_021  # the whole limit
        candidate = _stopped(behaviour)
    else:
        content = {"parts": [{"text": answer.text}], "role": "model"}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        usage["candidatesTokenCount"] = len(answer.text.encode()) // 4
        if answer.grounding is not None:
            candidate["groundingMetadata"] = answer.grounding
        if answer.grounding is not None or (grounded and behaviour == "no_metadata"):
            usage["toolUsePromptTokenCount"] = 90 + seeded_int("tool", subject) % 80
    return {"candidates": [candidate], "usageMetadata": _usage(usage), **envelope}


def _stopped(behaviour: str) -> dict[str, Any]:
    """A candidate that ended before it had any text."""
    if behaviour == "safety":
        ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]
        return {"finishReason": "SAFETY", "index": 0, "safetyRatings": ratings}
    if behaviour == "max_tokens":
        # All the limit went into thinking: a candidate without parts, and no count of its tokens.
        return {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    return {"content": {}, "finishReason": behaviour.upper(), "index": 0}


def _usage(counts: dict[str, int]) -> dict[str, Any]:
    return {**counts, "totalTokenCount": sum(counts.values()), "serviceTier": "standard"}


def _response_id(*parts: object) -> str:
    """An identifier in the form of the real service."""
    return base64.urlsafe_b64encode(seeded_int("response", *parts).to_bytes(12, "big")).decode()
