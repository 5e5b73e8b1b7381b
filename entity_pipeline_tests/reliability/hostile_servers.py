"""Stand-ins that answer some accounts with an attack and everybody else as usual."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from entity_pipeline.domains.entities.sample.gemini_prompt import asked_username
from entity_pipeline.sandbox.gemini_request import wants_search
from entity_pipeline.sandbox.loopback_http import Reply, Request, json_reply
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

Attack = Mapping[str, Any] | Reply


class HostileGemini(GeminiStandin):
    """`attacks` by username: a body, or a whole HTTP answer. `prompts` holds what was sent for whom."""

    def __init__(self, attacks: Mapping[str, Attack]) -> None:
        super().__init__(latency_ms=0)
        self._attacks = attacks
        self.prompts: list[tuple[str, str]] = []

    def answer(self, request: Request) -> Reply:
        body = json.loads(request.body)
        username = asked_username(body, self._attacks) or ""
        self.prompts.append((username, body["contents"][0]["parts"][0]["text"]))
        attack = self._attacks.get(username)
        if attack is None:
            return super().answer(request)
        self._counts.seen(username, grounded=wants_search(body))
        return attack if isinstance(attack, Reply) else json_reply_with_escapes(attack)


def json_reply_with_escapes(body: Mapping[str, Any]) -> Reply:
    """In ASCII, because a lone surrogate can be in JSON but in no UTF-8 text."""
    return replace(json_reply({}), body=json.dumps(body).encode())


class HostileInstagram(InstagramStandin):
    """`attacks` by path (``/username/`` or a picture's): what is served there."""

    def __init__(self, attacks: Mapping[str, Reply | Callable[[], Reply]]) -> None:
        super().__init__(latency_ms=0)
        self._attacks = attacks
        self.paths: list[str] = []

    def _route(self, request: Request) -> Reply:
        self.paths.append(request.path)
        attack = self._attacks.get(request.path)
        if attack is None:
            return super()._route(request)
        self._counts.seen(request.path)
        return attack if isinstance(attack, Reply) else attack()
