"""What a batch's line says is what `ask` sends, seen on the wire behind the real google-genai."""

import base64
import json
from typing import Any

import pytest

from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Generation, Request, Text, Tool
from entity_pipeline.core.gemini.response_schema import lean_schema
from entity_pipeline.resources.gemini.client import Body, GeminiClient
from entity_pipeline.resources.gemini.wire_request import wire_request
from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, json_reply
from entity_pipeline.sandbox.loopback_http import Request as Received

PICTURE = bytes(range(256)) * 4
SCHEMA = lean_schema(
    {
        "type": "object",
        "properties": {
            "evidence": {"type": "array", "items": {"type": "string"}},
            "city": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }
)
FULL = Request(
    model="gemini-3.5-flash-lite",
    system="Be exact. 정확하게.",
    parts=(Text("Кто это? \u2028\U0001f9f5"), Picture.of(PICTURE, "image/jpeg"), Text("end")),
    generation=Generation(1_500, None, None, thinking_level="low", media_resolution="low"),
    response_schema=SCHEMA,
)


def as_sent(request: Request) -> Any:
    received: list[Received] = []

    def answer(one: Received) -> Reply:
        received.append(one)
        return json_reply({"candidates": []})

    with LoopbackServer(answer) as server:
        client = GeminiClient("any", server.url)
        try:
            assert isinstance(client.send(request), Body)
        finally:
            client.close()
    return json.loads(received[0].body)


def normal(value: Any) -> Any:
    """Names in camel case and base64 in the standard alphabet: the service takes both forms of either."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {}
    for name, item in value.items():
        head, *tail = name.split("_")
        named[head + "".join(map(str.title, tail))] = normal(item)
    if isinstance(named.get("data"), str):
        named["data"] = base64.b64decode(
            named["data"], altchars=b"-_" if set("-_") & set(named["data"]) else None
        )
    return named


@pytest.mark.parametrize(
    "request_",
    [
        FULL,
        Request(model="gemini-2.5-flash", system="s", parts=(Text("t"),)),
        Request(model="gemini-2.5-flash", system="s", parts=(Text("t"),), tools=(Tool.GOOGLE_SEARCH,)),
    ],
)
def test_a_line_of_a_batch_is_what_a_single_request_sends(request_: Request) -> None:
    assert normal(wire_request(request_)) == normal(as_sent(request_))


def test_a_schema_a_resolution_and_a_picture_leave_where_the_service_reads_them() -> None:
    sent = wire_request(FULL)
    config = sent["generationConfig"]
    assert config["responseSchema"] == SCHEMA
    assert config["responseMimeType"] == "application/json"
    assert config["mediaResolution"] == "MEDIA_RESOLUTION_LOW"
    assert config["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert base64.b64decode(sent["contents"][0]["parts"][1]["inlineData"]["data"]) == PICTURE
    assert "model" not in sent
