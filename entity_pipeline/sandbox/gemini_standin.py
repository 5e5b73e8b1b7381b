"""A local server that answers like the Gemini API over HTTP. The content of its answers comes from samples.

A sample gives a subject one of these words to show an everyday oddity: ``overloaded_once`` (503, then a normal
answer); ``safety``, ``prompt_blocked``, ``max_tokens`` (no text); in a batch the words of `gemini_batches.ODD_ROWS`.
A word that ends in ``_once`` holds for the first request about its subject. With a chaos seed, quotas, errors, drops
and delays come on top, and any known subject may meet one of those, one of ``recitation``,
``malformed_function_call``, ``prohibited_content`` (finish reasons), or an odd answer
(`gemini_errors.ODD_ANSWERS`), whose words come from its sample.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.sandbox.gemini_answers import NOTHING_KNOWN, GeminiAnswers, GeminiSubject
from entity_pipeline.sandbox.gemini_batches import ODD_ROWS, GeminiBatches
from entity_pipeline.sandbox.gemini_errors import (
    ODD_ANSWERS,
    bad_key,
    chaos_draw,
    invalid_argument,
    no_key,
    trouble,
    unknown_model,
)
from entity_pipeline.sandbox.gemini_reply import reply_body
from entity_pipeline.sandbox.gemini_request import prompt_tokens, wants_json, wants_search
from entity_pipeline.sandbox.loopback_http import Reply, Request, json_reply
from entity_pipeline.sandbox.seeded import seeded_share
from entity_pipeline.sandbox.standin_server import StandinServer

INVALID_KEY = "invalid"  # the one key that is refused, to show the effect of a wrong key
_PATH = re.compile(r"/v1beta/models/([^/:]+):([A-Za-z]+)")
_OPERATIONS = ("generateContent", "batchGenerateContent")
_BATCH_PATHS = ("/v1beta/batches", "/v1beta/files", "/upload/v1beta/files")
_NOT_FOUND = Reply(404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html; charset=UTF-8")


class GeminiStandin(StandinServer):
    """The server; ``with GeminiStandin() as standin`` or `start` and `close`.

    Args:
        answers: the answers of the domains' samples; the first that has the subject of a request answers it.
        port: 0 takes a free one.
        latency_ms: the least delay of an answer; up to half of it is added by subject.
        chaos: a seed switches random trouble on; the same seed gives the same requests the same trouble.
        retry_s: the seconds that a per-minute or per-day 429 asks the client to wait.
        slow_s: the additional seconds of an answer that chaos slows down.
    """

    def __init__(
        self,
        answers: Sequence[GeminiAnswers] = (),
        *,
        port: int = 0,
        latency_ms: int = 20,
        chaos: int | None = None,
        retry_s: int = 28,
        slow_s: float = 3.0,
    ) -> None:
        super().__init__(port=port)
        self._latency_s = latency_ms / 1000
        self._chaos = chaos
        self._retry_s = retry_s
        self._slow_s = slow_s
        self._answers = answers
        # Models that answer in place of the requested one, as Google's do once it has retired.
        self.successors: dict[str, str] = {}
        self.batches = GeminiBatches(self._answer_in_batch, lambda: self.url)

    def close(self) -> None:
        """Stop, and delete the files of batches."""
        super().close()
        self.batches.close()

    def answer(self, request: Request) -> Reply:
        """Answer a request to the API by its key, model and operation; 404 for an unknown path."""
        if request.path == "/_standin/bill":
            return json_reply([asdict(one) for one in self.batches.billed])
        # The bytes of an upload come without a key, under an id that only its start gave away.
        if "upload_id" in request.query:
            return self.batches.reply(request) or _NOT_FOUND
        key = request.headers.get("x-goog-api-key") or next(iter(request.query.get("key", [])), "")
        named = _PATH.fullmatch(request.path)
        is_known = named is not None and named[2] in _OPERATIONS and request.method == "POST"
        if not is_known and not request.path.startswith(_BATCH_PATHS):
            return _NOT_FOUND
        if not key:
            return no_key()
        if key == INVALID_KEY:
            return bad_key()
        if named is not None and named[1] not in MODELS:
            return unknown_model(named[1])
        if named is None or named[2] == "batchGenerateContent":
            return self.batches.reply(request) or _NOT_FOUND
        try:
            body = json.loads(request.body)
        except ValueError:
            return invalid_argument("Invalid JSON payload received.")
        return self._generate_content(body, named[1])

    def _generate_content(self, body: Any, model: str) -> Reply:
        if not isinstance(body, dict) or not body.get("contents"):
            return invalid_argument("* GenerateContentRequest.contents: contents is not specified")
        grounded = wants_search(body)
        answers, subject = self._subject(body)
        nth = self._counts.seen(subject.name, grounded=grounded)
        if body.get("tools") and wants_json(body):
            return invalid_argument("Tool use with a response mime type: 'application/json' is unsupported")
        delay_s = self._latency_s * (1 + seeded_share("latency", subject.name, nth) / 2)
        drawn = chaos_draw(self._chaos, subject.name, nth) if self._chaos is not None else ""
        if drawn == "slow":
            delay_s += self._slow_s
        elif drawn and drawn not in ODD_ANSWERS:
            return replace(trouble(drawn, self._retry_s), after_s=delay_s)
        if subject.behaviour == "overloaded_once" and nth == 1:
            return replace(trouble("overloaded"), after_s=delay_s)
        behaviour = drawn if subject.is_known and drawn in ODD_ANSWERS else subject.behaviour
        answer = answers.answer(subject.name, behaviour, body) if answers is not None else NOTHING_KNOWN
        reply = reply_body(
            subject.name,
            self.successors.get(model, model),
            behaviour,
            answer,
            prompt_tokens=prompt_tokens(body, model),
            grounded=grounded,
        )
        return replace(json_reply(reply), after_s=delay_s)

    def _answer_in_batch(self, body: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
        """The word for what happens to the row of this answer, or empty, and the answer."""
        answers, subject = self._subject(body)
        is_over = self._counts.seen(subject.name) > 1 and subject.behaviour.endswith("_once")
        behaviour = "" if is_over else subject.behaviour
        answer = answers.answer(subject.name, behaviour, body) if answers is not None else NOTHING_KNOWN
        reply = reply_body(
            subject.name,
            self.successors.get(model, model),
            behaviour,
            answer,
            prompt_tokens=prompt_tokens(body, model),
            grounded=False,
        )
        return behaviour if behaviour in ODD_ROWS else "", reply

    def _subject(self, body: Mapping[str, Any]) -> tuple[GeminiAnswers | None, GeminiSubject]:
        """The sample that answers, and the subject: a sample that has the subject, else one that knows the question."""
        found = [(answers, subject) for answers in self._answers if (subject := answers.subject(body))]
        known = [(answers, subject) for answers, subject in found if subject.is_known]
        return next(iter(known or found), (None, GeminiSubject("", is_known=False)))
