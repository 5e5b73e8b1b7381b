"""What the results of a batch hold when the sample gives a request an odd row."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from entity_pipeline.sandbox.gemini_batches import GeminiBatches
from entity_pipeline.sandbox.loopback_http import Reply, Request

USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 7}


def _answer(request: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    return request["odd"], {"candidates": [request["odd"]], "usageMetadata": dict(USAGE)}


class _Client:
    def __init__(self) -> None:
        self.batches = GeminiBatches(_answer, lambda: "")

    def post(self, path: str, body: bytes, **rest: Any) -> Any:
        return self._read(Request("POST", path, rest.get("query", {}), rest.get("headers", {}), body))

    def get(self, path: str) -> Any:
        return self._read(Request("GET", path, {}, {}, b""))

    def results(self, words: list[str]) -> bytes:
        """The results of a batch whose requests meet these words."""
        file = b"".join(
            json.dumps({"key": str(nth), "request": {"odd": word}}).encode() + b"\n"
            for nth, word in enumerate(words)
        )
        reply = self.batches.reply(
            Request("POST", "/upload/v1beta/files", {}, {"x-goog-upload-command": "start"}, b"")
        )
        assert reply is not None
        name = reply.headers["X-Goog-Upload-URL"].partition("upload_id=")[2]
        headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        self.post("/upload/v1beta/files", file, query={"upload_id": [name]}, headers=headers)
        asked = json.dumps({"batch": {"displayName": "d", "inputConfig": {"fileName": name}}}).encode()
        batch = self.post("/v1beta/models/gemini-3.5-flash-lite:batchGenerateContent", asked)
        self.get(f"/v1beta/{batch['name']}")
        shown = self.get(f"/v1beta/{batch['name']}")
        found = self.batches.reply(
            Request("GET", f"/v1beta/{shown['metadata']['output']['responsesFile']}:download", {}, {}, b"")
        )
        assert found is not None
        return found.body

    def _read(self, request: Request) -> Any:
        reply = self.batches.reply(request)
        assert isinstance(reply, Reply)
        return json.loads(reply.body)


@pytest.mark.parametrize(
    ("odd", "keys"),
    [
        ("", ["1", "0"]),
        ("missing_once", ["1"]),
        ("doubled_once", ["1", "0", "0"]),
        ("foreign_once", ["1", "of another batch", "0"]),
    ],
)
def test_each_word_spoils_its_own_row_and_is_billed(odd: str, keys: list[str]) -> None:
    client = _Client()
    lines = [json.loads(line) for line in client.results([odd, ""]).splitlines()]
    client.batches.close()
    assert [line["key"] for line in lines] == keys
    assert len(client.batches.billed) == 2


def test_a_cut_off_row_can_not_be_read() -> None:
    client = _Client()
    first, second = client.results(["broken_once", ""]).splitlines()
    client.batches.close()
    assert json.loads(first)["key"] == "1"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(second)


def test_an_error_row_costs_nothing() -> None:
    client = _Client()
    lines = [json.loads(line) for line in client.results(["error_once"]).splitlines()]
    client.batches.close()
    assert list(lines[0]) == ["error", "key"]
    assert client.batches.billed == []
