"""The client of batches beyond the stand-in: other hosts, answers that are too large, and none at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from entity_pipeline.resources.gemini import batch_client
from entity_pipeline.resources.gemini.batch_client import BatchClient
from entity_pipeline.resources.gemini.client import Body, Exchange, Lost, Unsent
from entity_pipeline.resources.gemini.errors import GeminiError
from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request, json_reply

KEY = "secret-key-0123456789"


@contextmanager
def client_of(url: str | None) -> Iterator[BatchClient]:
    client = BatchClient(KEY, url)
    try:
        yield client
    finally:
        client.close()


def created(reply: Reply) -> tuple[Exchange, list[Request]]:
    received: list[Request] = []

    def answer(request: Request) -> Reply:
        received.append(request)
        return reply

    with LoopbackServer(answer) as server, client_of(server.url) as client:
        return client.create("gemini-3.5-flash-lite", "files/in-1", "a name"), received


@pytest.mark.parametrize(
    ("host", "is_gemini"),
    [
        ("generativelanguage.googleapis.com", True),
        ("googleapis.com", True),
        ("googleapis.com.evil.example", False),
        ("evilgoogleapis.com", False),
        ("127.0.0.1", False),
    ],
)
def test_pictures_go_to_no_other_host_than_googles(host: str, is_gemini: bool) -> None:
    request = httpx2.Request("POST", f"https://{host}/upload")
    with client_of(None) as client:
        if is_gemini:
            client._check_host(request)
        else:
            with pytest.raises(httpx2.ConnectError, match="not a host of Gemini"):
                client._check_host(request)


def test_a_creation_on_the_wire_is_the_documented_one_and_is_made_once() -> None:
    answer, [request] = created(json_reply({"name": "batches/1"}))
    assert answer == Body({"name": "batches/1"})
    assert request.path == "/v1beta/models/gemini-3.5-flash-lite:batchGenerateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.body == b'{"batch": {"inputConfig": {"fileName": "files/in-1"}, "displayName": "a name"}}'


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500, 503, 302])
def test_an_error_is_never_answered_by_a_second_creation(status: int) -> None:
    answer, requests = created(json_reply({"error": {"message": f"about {KEY}", "code": status}}, status))
    assert isinstance(answer, GeminiError)
    assert (answer.code, len(requests)) == (status, 1)
    assert KEY not in answer.message


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(204)])
def test_an_answer_that_says_nothing_leaves_open_whether_the_batch_was_made(reply: Reply) -> None:
    answer, requests = created(reply)
    assert isinstance(answer, Lost | GeminiError)
    assert len(requests) == 1
    assert not (isinstance(answer, GeminiError) and 400 <= answer.code < 500)


def test_a_refused_connection_is_known_to_have_sent_nothing(closed_port: int, tmp_path: Path) -> None:
    with client_of(f"http://127.0.0.1:{closed_port}") as client:
        assert isinstance(client.get("batches/1"), Unsent)
        assert isinstance(client.create("gemini-3.5-flash-lite", "files/1", "n"), Unsent)
        assert isinstance(client.download("files/1", tmp_path / "f"), Unsent)
        assert [type(page) for page in client.pages()] == [Unsent]


def test_an_answer_that_is_too_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_client, "_MOST_BODY_BYTES", 1_000)
    answer, _ = created(json_reply({"name": "x" * 2_000}))
    assert isinstance(answer, Lost)
    assert "exceeds 1000 bytes" in answer.message
