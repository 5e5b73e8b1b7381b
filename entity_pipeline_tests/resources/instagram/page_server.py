"""A server over a real socket that answers each path as a test says, and remembers what was asked."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request

HTML = "text/html; charset=utf-8"


class PageServer:
    """`replies` maps a path to its reply, or to several given one after the other, the last for ever."""

    def __init__(self, replies: Mapping[str, Reply | Sequence[Reply]]) -> None:
        self._replies = {path: [r] if isinstance(r, Reply) else list(r) for path, r in replies.items()}
        self.requests: list[Request] = []
        self.url = ""

    def respond(self, request: Request) -> Reply:
        self.requests.append(request)
        replies = self._replies.get(request.path, [Reply(404, b"Not Found", HTML)])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@contextmanager
def serving(replies: Mapping[str, Reply | Sequence[Reply]]) -> Iterator[PageServer]:
    pages = PageServer(replies)
    with LoopbackServer(pages.respond) as server:
        pages.url = server.url
        yield pages


def user(username: str, /, **fields: Any) -> dict[str, Any]:
    """The object a profile page embeds; a field given as `...` is left out."""
    shown = {
        "id": "17841400000000000",
        "pk": "25025320",
        "username": username,
        "full_name": "젠틀몬스터",
        "biography": "아이웨어 브랜드",
        "profile_pic_url": "https://scontent-1.cdninstagram.com/v/1_n.jpg?oh=a&oe=FFFFFFFF",
        "is_private": False,
        "is_verified": True,
        "follower_count": 1_200_000,
        "following_count": 3,
        "all_media_count": 900,
        "bio_links": [{"url": "https://gentlemonster.example/"}],
    }
    return {name: value for name, value in (shown | fields).items() if value is not ...}


def page(shown: Any, content_type: str = HTML) -> Reply:
    """A profile page that embeds `shown`."""
    data = {"require": [["x", [{"__bbox": {"result": {"data": {"xig_user_by_username": shown}}}}]]]}
    text = json.dumps(data, ensure_ascii=False)
    script = f'<script type="application/json" data-sjs>{text}</script>'
    return Reply(200, f"<html><head>{script}</head></html>".encode(), content_type)


def redirect(to: str) -> Reply:
    return Reply(302, b"", HTML, {"Location": to})


def failure(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"message": message, "status": "fail"}).encode())


_OK = b"HTTP/1.1 200 OK\r\n"
# What a server says at once and what it says bit by bit after it, by the part of the answer that never ends.
DRIPS = [
    pytest.param(_OK + b"Content-Length: 100000\r\n\r\n", b"\xff", id="body"),
    pytest.param(_OK, b"X-A: b\r\n", id="headers"),
]


@contextmanager
def dripping(head: bytes, drop: bytes) -> Iterator[str]:
    """A server that answers with `head` and then with drops for ever."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4_096)
                    connection.sendall(head)
                    while not stop.wait(0.02):
                        connection.sendall(drop)

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
