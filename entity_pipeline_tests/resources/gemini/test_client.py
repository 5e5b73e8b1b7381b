"""The real google-genai over real sockets: what is on the wire, and how every kind of answer is handled."""

import gzip
import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Thread

import pytest

from entity_pipeline.core.gemini.request import Generation, Text, Tool
from entity_pipeline.core.gemini.request import Request as GeminiRequest
from entity_pipeline.resources.gemini import GeminiResource, transport
from entity_pipeline.resources.gemini.client import Body, Exchange, GeminiClient, Lost, Unsent
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.gemini_errors import trouble, unknown_model
from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request, json_reply
from entity_pipeline_tests.standins import GeminiStandin

KEY = "secret-key-0123456789"
MODEL = "gemini-2.5-flash"
ASKED = GeminiRequest(
    model=MODEL,
    system="Be exact.",
    parts=(Text('Who is {"username": "브랜드.kr"}?'),),
    tools=(Tool.GOOGLE_SEARCH,),
    generation=Generation(max_output_tokens=1_024),
)
ANSWER = {"candidates": [{"content": {"parts": [{"text": "ok"}]}}], "unknownField": {"kept": True}}


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"


class Recorder:
    """Gives its answers in order and repeats the last one; keeps the requests."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


@contextmanager
def client_of(url: str) -> Iterator[GeminiClient]:
    client = GeminiClient(KEY, url)
    try:
        yield client
    finally:
        client.close()


def exchange(*replies: Reply, grounded: bool = True) -> tuple[Exchange, list[Request]]:
    recorder = Recorder(*replies)
    with LoopbackServer(recorder) as server, client_of(server.url) as client:
        return client.send(ASKED if grounded else replace(ASKED, tools=())), recorder.requests


@contextmanager
def raw_server(*chunks: bytes, pause_s: float = 0.0, hangs_up: bool = False) -> Iterator[str]:
    """Reads one request, speaks in these chunks, then hangs up or falls silent with the connection open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as incoming:
                    headers = iter(incoming.readline, b"\r\n")
                    lengths = [
                        line.split(b":")[1] for line in headers if line.lower().startswith(b"content-length")
                    ]
                    incoming.read(int(lengths[0]))
                    for chunk in chunks:
                        connection.sendall(chunk)
                        time.sleep(pause_s)
                    if not hangs_up:
                        incoming.read(1)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)
        assert not thread.is_alive()


def test_a_grounded_request_on_the_wire_is_the_documented_one() -> None:
    answer, [request] = exchange(json_reply(ANSWER))
    assert answer == Body(ANSWER)
    assert (request.method, request.path) == ("POST", f"/v1beta/models/{MODEL}:generateContent")
    assert request.query == {}
    assert request.headers["x-goog-api-key"] == KEY
    assert json.loads(request.body) == {
        "contents": [{"parts": [{"text": ASKED.text}], "role": "user"}],
        "systemInstruction": {"parts": [{"text": ASKED.system}], "role": "user"},
        "tools": [{"googleSearch": {}}],
        "generationConfig": {
            "temperature": 0.0,
            "maxOutputTokens": 1_024,
            "thinkingConfig": {"thinking_budget": 512},
        },
    }


def test_a_request_without_search_has_no_tools() -> None:
    _, [request] = exchange(json_reply(ANSWER), grounded=False)
    assert "tools" not in json.loads(request.body)
    assert b"responseMimeType" not in request.body


def test_a_reply_that_was_cut_off_is_not_continued_at_our_cost() -> None:
    cut = {
        "candidates": [
            {
                "content": {"parts": [{"text": "a"}]},
                "finishReason": "CONTINUATION",
                "continuationToken": "dG9rZW4=",
            }
        ]
    }
    answer, requests = exchange(json_reply(cut))
    assert answer == Body(cut)
    assert len(requests) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_stays_here(code: int) -> None:
    elsewhere = Recorder(json_reply(ANSWER))
    with LoopbackServer(elsewhere) as other:
        answer, requests = exchange(Reply(code, headers={"Location": f"{other.url}/v1beta/x"}))
    assert isinstance(answer, GeminiError)
    assert (answer.kind, answer.code) == (ErrorKind.MISCONFIGURED, code)
    assert len(requests) == 1
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (trouble("garbage"), ErrorKind.OVERLOADED, 200),
        (Reply(200, b""), ErrorKind.OVERLOADED, 200),
        (Reply(200, b"[1, 2]"), ErrorKind.OVERLOADED, 200),
        (Reply(200, b"null"), ErrorKind.OVERLOADED, 200),
        (Reply(200, b'{"n": ' + b"9" * 5_000 + b"}"), ErrorKind.OVERLOADED, 200),
        (Reply(200, b"[" * 100_000), ErrorKind.OVERLOADED, 200),
        (Reply(200, b"<html>captive portal</html>", "text/html"), ErrorKind.OVERLOADED, 200),
        (Reply(204), ErrorKind.OVERLOADED, 204),
        (trouble("bad_gateway"), ErrorKind.OVERLOADED, 502),
        (trouble("overloaded"), ErrorKind.OVERLOADED, 503),
        (trouble("internal"), ErrorKind.OVERLOADED, 500),
        (Reply(500, b"[]"), ErrorKind.OVERLOADED, 500),
        (trouble("per_minute"), ErrorKind.QUOTA_MINUTE, 429),
        (trouble("per_day"), ErrorKind.QUOTA_DAY, 429),
        (trouble("grounding_exhausted"), ErrorKind.GROUNDING_EXHAUSTED, 429),
        (trouble("bare_429"), ErrorKind.QUOTA_UNNAMED, 429),
        (trouble("unpaid"), ErrorKind.UNPAID, 429),
        (json_reply([{"error": {"status": "NOT_FOUND"}}], 404), ErrorKind.MISCONFIGURED, 404),
        (unknown_model("gemini-0"), ErrorKind.MISCONFIGURED, 404),
    ],
)
def test_an_error_answer_is_classified_after_one_request(reply: Reply, kind: ErrorKind, code: int) -> None:
    answer, requests = exchange(reply)
    assert isinstance(answer, GeminiError), answer
    assert (answer.kind, answer.code) == (kind, code)
    assert len(requests) == 1


def test_the_code_is_that_of_http_and_not_that_of_the_body() -> None:
    answer, _ = exchange(json_reply({"error": {"code": 404}}, 500))
    assert isinstance(answer, GeminiError)
    assert (answer.kind, answer.code) == (ErrorKind.OVERLOADED, 500)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe\x00"], ids=["too deep", "no text"])
def test_an_error_that_the_sdk_can_not_read_is_lost_and_counts(body: bytes) -> None:
    answer, _ = exchange(Reply(500, body))
    assert isinstance(answer, Lost)


def test_a_dropped_connection_is_lost_and_not_tried_again() -> None:
    answer, requests = exchange(Reply(drop=True))
    assert isinstance(answer, Lost)
    assert len(requests) == 1


def test_a_refused_connection_is_provably_unsent(closed_port: int) -> None:
    with client_of(f"http://127.0.0.1:{closed_port}") as client:
        answer = client.send(ASKED)
    assert isinstance(answer, Unsent)
    assert "ConnectError" in answer.message


@pytest.mark.parametrize(("size", "whole"), [(3_900_000, True), (4_100_000, False)])
def test_a_body_beyond_four_megabytes_is_given_up_on(size: int, whole: bool) -> None:
    answer, _ = exchange(json_reply({"text": "x" * size}))
    if whole:
        assert isinstance(answer, Body)
    else:
        assert isinstance(answer, Lost)
        assert "exceeds 4000000 bytes" in answer.message


def test_a_body_shorter_than_announced_is_lost() -> None:
    with raw_server(HEAD, b'{"candidates": []}', hangs_up=True) as url, client_of(url) as client:
        answer = client.send(ASKED)
    assert isinstance(answer, Lost)
    assert "RemoteProtocolError" in answer.message


def test_a_body_that_drips_is_given_up_on_at_the_call_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CALL_LIMIT_S", 0.5)
    started = time.monotonic()
    with raw_server(HEAD, *[b" "] * 400, pause_s=0.02) as url, client_of(url) as client:
        answer = client.send(ASKED)
    assert isinstance(answer, Lost)
    assert "no complete answer within 0.5 s" in answer.message
    assert 0.4 < time.monotonic() - started < 3


def test_headers_that_drip_are_given_up_on_at_the_call_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entity_pipeline.resources.gemini.client.CALL_LIMIT_S", 0.5)
    monkeypatch.setattr("entity_pipeline.resources.gemini.client.GRACE_S", 0.1)
    started = time.monotonic()
    drops = [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 100]
    with raw_server(*drops, pause_s=0.02, hangs_up=True) as url, client_of(url) as client:
        answer = client.send(ASKED)
        took_s = time.monotonic() - started
    assert answer == Lost("TimeoutError: no complete answer within 0.5 s")
    assert 0.4 < took_s < 1.8


@pytest.mark.parametrize(
    "reply",
    [
        json_reply(
            {"error": {"code": 400, "status": KEY, "message": f"API key not valid: {KEY}."}}, status=400
        ),
        json_reply({"error": {"message": f"Consumer 'api_key:{KEY}' has been suspended."}}, status=403),
        json_reply({"error": {"message": "x" * 490 + f"{KEY}."}}, status=503),
        json_reply({"candidates": [{"content": {"parts": [{"text": f"Your key is {KEY}"}]}}]}),
        json_reply(
            {"error": {"details": [{"violations": [{"quotaId": f"x{KEY}PerDay"}]}], "message": KEY}},
            status=429,
        ),
    ],
)
def test_an_answer_that_quotes_the_key_is_kept_without_it(reply: Reply) -> None:
    answer, _ = exchange(reply)
    assert KEY[:8] not in repr(answer)
    assert "[key]" in repr(answer)


def test_a_key_so_short_that_it_is_a_word_is_not_looked_for() -> None:
    with LoopbackServer(Recorder(json_reply({"name": "local brand"}))) as server:
        client = GeminiClient("local", server.url)
        assert client.send(ASKED) == Body({"name": "local brand"})
        client.close()


def test_a_byte_order_mark_before_the_answer_is_passed_over() -> None:
    answer, _ = exchange(Reply(200, b"\xef\xbb\xbf" + json.dumps(ANSWER).encode()))
    assert answer == Body(ANSWER)


def test_a_body_that_stalls_is_given_up_on_long_before_its_claim_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "SILENCE_LIMIT_S", 0.3)
    started = time.monotonic()
    with raw_server(HEAD, b"{") as url, client_of(url) as client:
        answer = client.send(ASKED)
    assert isinstance(answer, Lost)
    assert "ReadTimeout" in answer.message
    assert time.monotonic() - started < 9  # the limit in force otherwise is 10


def test_a_server_that_never_answers_is_given_up_on_at_the_call_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entity_pipeline.resources.gemini.client.CALL_LIMIT_S", 0.3)
    with raw_server() as url, client_of(url) as client:
        answer = client.send(ASKED)
    assert isinstance(answer, Lost)
    assert "ReadTimeout" in answer.message


def test_the_key_is_in_no_repr_and_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    resource = GeminiResource(
        assets_db=PostgresResource(url="postgresql://nobody@127.0.0.1/none"), api_key=KEY, model_name=MODEL
    )
    with caplog.at_level(logging.DEBUG):
        recorder = Recorder(json_reply(ANSWER), trouble("per_day"), unknown_model(MODEL), Reply(drop=True))
        with LoopbackServer(recorder) as server, client_of(server.url) as client:
            answers = [client.send(ASKED) for _ in range(4)]
            texts = [repr(client), str(client), repr(answers)]
    assert len(caplog.records) > 4
    texts += [repr(resource), str(resource), caplog.text]
    texts += [repr(vars(record)) for record in caplog.records]
    assert not [text for text in texts if KEY in text]


def test_a_proxy_of_the_environment_does_not_see_a_server_named_explicitly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Recorder(json_reply({"from": "proxy"}))
    with LoopbackServer(proxy) as other:
        monkeypatch.setenv("HTTP_PROXY", other.url)
        monkeypatch.setenv("ALL_PROXY", other.url)
        answer, _ = exchange(json_reply(ANSWER))
    assert answer == Body(ANSWER)
    assert proxy.requests == []


def test_one_client_serves_many_threads() -> None:
    with GeminiStandin(latency_ms=5) as standin, client_of(standin.url) as client:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.send(ASKED), range(40)))
        assert all(isinstance(answer, Body) for answer in answers)
        assert standin.requests["grounded"] == 40


@pytest.mark.parametrize(
    "charset", ["hex", "rot13", "base64", "zlib", "undefined", "idna", "utf-16", "no-such"]
)
def test_a_reply_is_utf8_whatever_character_set_it_names(charset: str) -> None:
    body = json.dumps({"name": "브랜드"}, ensure_ascii=False).encode()
    answer, _ = exchange(Reply(200, body, f"application/json; charset={charset}"))
    assert answer == Body({"name": "브랜드"})
    refused, _ = exchange(Reply(400, b'{"error": {"status": "X"}}', f"application/json; charset={charset}"))
    assert isinstance(refused, GeminiError)
    assert refused.kind is ErrorKind.REFUSED


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "br", "zstd"])
def test_a_compressed_answer_was_not_asked_for_and_is_not_unpacked(encoding: str, status: int) -> None:
    bomb = gzip.compress(gzip.compress(bytes(3_000_000)))
    answer, [request] = exchange(Reply(status, bomb, headers={"Content-Encoding": encoding}))
    assert answer == Lost("DecodingError: the answer is compressed, which was not requested")
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("depth", [200, 900, 990])
def test_a_reply_that_nests_too_deep_to_be_stored_is_unreadable(depth: int) -> None:
    answer, _ = exchange(Reply(200, b'{"candidates":' + b"[" * depth + b"]" * depth + b"}"))
    assert isinstance(answer, GeminiError)
    assert (answer.kind, answer.status) == (ErrorKind.OVERLOADED, "UNREADABLE")
