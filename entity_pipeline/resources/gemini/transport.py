"""Bounds on one HTTP exchange with Gemini.

The SDK's own timeout holds for each phase and starts again with every chunk, so a server that drips bytes could hold a
call forever, while a claim in the ledger ends after `STALE_AFTER_S`. The hooks are given to the SDK's httpx client;
the timeouts of a request are a dict that httpcore reads at the start of each phase.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from entity_pipeline.core.gemini.ledger import CALL_LIMIT_S

MAX_REPLY_BYTES = 4_000_000
CONNECT_LIMIT_S = (
    5.0  # for each of connecting, the TLS handshake and writing, which usually take milliseconds
)
SILENCE_LIMIT_S = 10.0  # a body usually follows its headers at once


def bounded_event_hooks(
    limit_s: float | None = None, most_bytes: int | None = None
) -> dict[str, list[Callable[..., None]]]:
    """Hooks that end an exchange after `limit_s` seconds, and a body after `most_bytes`; by default as `ask` needs it.

    A compressed body would be counted before it is unpacked to up to a thousand times its size, so none is requested
    or read. Whatever character set is named, the text is JSON and therefore UTF-8.
    """
    import httpx2

    longest_s = CALL_LIMIT_S if limit_s is None else limit_s
    largest = MAX_REPLY_BYTES if most_bytes is None else most_bytes

    class BoundedStream(httpx2.SyncByteStream):
        def __init__(self, inner: Any, request: httpx2.Request) -> None:
            self._inner = inner
            self._request = request

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for chunk in self._inner:
                size += len(chunk)
                if time.monotonic() > self._request.extensions["deadline"]:
                    raise httpx2.ReadTimeout(
                        f"no complete answer within {longest_s} s", request=self._request
                    )
                if size > largest:
                    raise httpx2.ReadError(f"the answer exceeds {largest} bytes", request=self._request)
                yield chunk

        def close(self) -> None:
            self._inner.close()

    def start_clock(request: httpx2.Request) -> None:
        request.extensions["deadline"] = time.monotonic() + longest_s
        limits = {"connect": CONNECT_LIMIT_S, "write": CONNECT_LIMIT_S, "pool": CONNECT_LIMIT_S}
        request.extensions["timeout"].update(limits)
        request.headers["accept-encoding"] = "identity"

    def bound_body(response: httpx2.Response) -> None:
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            raise httpx2.DecodingError(
                "the answer is compressed, which was not requested", request=response.request
            )
        response.encoding = "utf-8"
        response.request.extensions["timeout"]["read"] = SILENCE_LIMIT_S
        response.stream = BoundedStream(response.stream, response.request)

    return {"request": [start_clock], "response": [bound_body]}
