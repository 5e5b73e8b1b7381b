"""A local server that answers generateContent as the Gemini API does, from the sample.

It shows the everyday oddities without being asked to. `behaviours.csv` gives an account one of these words:
``trailing_commas``, ``percent``, ``country_name``, ``korean_labels`` (odd form, good content); ``bare_na``
("NA" for an unknown country); ``kind_of_brand`` ("beauty brand" and the like); ``unsure``; ``ungrounded``,
``queries_only``, ``no_supports``, ``stray_support`` (claims without proof); ``broken_then_mended``,
``broken_for_good``; ``overloaded_once``; ``safety``, ``prompt_blocked``, ``max_tokens``. With a chaos seed,
quotas, errors, drops and delays come on top, and any account may meet one of these words or one of
``recitation``, ``malformed_function_call``, ``prohibited_content`` (finish reasons), ``no_metadata`` (tokens of
the tool and no grounding), ``starts_at_once`` (a support whose offset 0 is left out).
"""

import json
import re
from dataclasses import replace
from typing import Any

from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.domains.entities.sample.gemini_answers import Answer, answer, response_id, stranger
from entity_pipeline.domains.entities.sample.gemini_prompt import (
    asked_username,
    prompt_bytes,
    wants_json,
    wants_search,
)
from entity_pipeline.domains.entities.sample.truth import Truth, load_truth, seeded_int, seeded_share
from entity_pipeline.sandbox.gemini_errors import (
    ODD_ANSWERS,
    bad_key,
    chaos_draw,
    invalid_argument,
    no_key,
    trouble,
    unknown_model,
)
from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request, json_reply
from entity_pipeline.sandbox.request_counts import RequestCounts

INVALID_KEY = "invalid"  # the one key that is refused, to show what a wrong key looks like
_NOTHING_SAID = frozenset({"recitation", "malformed_function_call", "prohibited_content"})
_PATH = re.compile(r"/v1beta/models/([^/:]+):generateContent")


class GeminiStandin(LoopbackServer):
    """The server; ``with GeminiStandin() as standin`` or `start` and `close`.

    Args:
        port: 0 takes a free one.
        latency_ms: least delay of an answer; up to half of it is added by handle.
        chaos: a seed switches random trouble on; the same seed meets the same requests with the same trouble.
        retry_s: what a per-minute or per-day 429 asks the client to wait, in seconds.
        slow_s: how much longer an answer takes that chaos slows down.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency_ms: int = 20,
        chaos: int | None = None,
        retry_s: int = 28,
        slow_s: float = 3.0,
    ) -> None:
        super().__init__(self._respond, port=port)
        self._latency_s = latency_ms / 1000
        self._chaos = chaos
        self._retry_s = retry_s
        self._slow_s = slow_s
        self._counts = RequestCounts()
        self._accounts = load_truth()

    @property
    def requests(self) -> dict[str, Any]:
        """``{"total", "grounded", "by_username", "by_status"}`` since the start."""
        return self._counts.snapshot()

    def _respond(self, request: Request) -> Reply:
        if request.path == "/_standin/health":
            return json_reply({"status": "ok"})
        if request.path == "/_standin/requests":
            return json_reply(self.requests)
        reply = self._generate(request)
        self._counts.answered("dropped" if reply.drop else str(reply.status))
        return reply

    def _generate(self, request: Request) -> Reply:
        model = _PATH.fullmatch(request.path)
        if request.method != "POST" or model is None:
            return Reply(
                404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html; charset=UTF-8"
            )
        key = request.headers.get("x-goog-api-key") or next(iter(request.query.get("key", [])), "")
        if not key:
            return no_key()
        if key == INVALID_KEY:
            return bad_key()
        if model[1] not in MODELS:
            return unknown_model(model[1])
        try:
            body = json.loads(request.body)
        except ValueError:
            return invalid_argument("Invalid JSON payload received.")
        if not isinstance(body, dict) or not body.get("contents"):
            return invalid_argument("* GenerateContentRequest.contents: contents is not specified")
        return self._answer_for(body, model[1])

    def _answer_for(self, body: dict[str, Any], model: str) -> Reply:
        grounded = wants_search(body)
        username = asked_username(body, self._accounts) or ""
        nth = self._counts.seen(username, grounded=grounded)
        if body.get("tools") and wants_json(body):
            return invalid_argument("Tool use with a response mime type: 'application/json' is unsupported")
        delay_s = self._latency_s * (1 + seeded_share("latency", username, nth) / 2)
        drawn = chaos_draw(self._chaos, username, nth) if self._chaos is not None else ""
        account = self._accounts.get(username)
        if drawn == "slow":
            delay_s += self._slow_s
        elif drawn and drawn not in ODD_ANSWERS:
            return replace(trouble(drawn, self._retry_s), after_s=delay_s)
        if account and account.gemini == "overloaded_once" and nth == 1:
            return replace(trouble("overloaded"), after_s=delay_s)
        if account and drawn in ODD_ANSWERS:
            account = replace(account, gemini=drawn)
        reply = _reply(account, username, model, grounded, prompt_bytes(body) // 4)
        return replace(json_reply(reply), after_s=delay_s)


def _reply(
    account: Truth | None, username: str, model: str, grounded: bool, prompt_tokens: int
) -> dict[str, Any]:
    envelope = {"modelVersion": model, "responseId": response_id(username, grounded)}
    thoughts = 60 + seeded_int("thoughts", username) % 200
    usage = {"promptTokenCount": prompt_tokens, "thoughtsTokenCount": thoughts}
    odd = account.gemini if account else ""
    if odd == "prompt_blocked":
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        return {**blocked, "usageMetadata": _usage({"promptTokenCount": prompt_tokens}), **envelope}
    if odd == "safety":
        ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]
        stopped: dict[str, Any] = {"finishReason": "SAFETY", "index": 0, "safetyRatings": ratings}
        return {"candidates": [stopped], "usageMetadata": _usage(usage), **envelope}
    if odd in _NOTHING_SAID:
        nothing: dict[str, Any] = {"content": {}, "finishReason": odd.upper(), "index": 0}
        return {"candidates": [nothing], "usageMetadata": _usage(usage), **envelope}
    if odd == "max_tokens":
        # All the limit went into thinking: a candidate without parts, and no count of its tokens.
        cut: dict[str, Any] = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
        usage["thoughtsTokenCount"] = 1_021
        return {"candidates": [cut], "usageMetadata": _usage(usage), **envelope}
    said: Answer = (
        answer(account, grounded=grounded, repair=not grounded)
        if account
        else stranger(username, grounded=grounded)
    )
    content = {"parts": [{"text": said.text}], "role": "model"}
    candidate: dict[str, Any] = {"content": content, "finishReason": "STOP", "index": 0}
    usage["candidatesTokenCount"] = len(said.text.encode()) // 4
    if said.grounding is not None:
        candidate["groundingMetadata"] = said.grounding
    if said.grounding is not None or (grounded and odd == "no_metadata"):
        usage["toolUsePromptTokenCount"] = 90 + seeded_int("tool", username) % 80
    return {"candidates": [candidate], "usageMetadata": _usage(usage), **envelope}


def _usage(counts: dict[str, int]) -> dict[str, Any]:
    return {**counts, "totalTokenCount": sum(counts.values()), "serviceTier": "standard"}
