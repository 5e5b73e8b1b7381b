"""The one door every request of Instaloader goes through: hosts, budget, slots, size and time limits.

Instaloader closes temporary sessions together with their adapters, so `close()` does nothing here and `shut()` closes
the connections; otherwise bodies would be cut off and read as "does not exist". The exceptions raised here derive
neither from Instaloader's nor from those of requests, which would be taken for answers of the server.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit

from requests import PreparedRequest, Response
from requests import exceptions as failures
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout

from entity_pipeline.core.deadlines import within
from entity_pipeline.resources.instagram.answers import Answer, path_of
from entity_pipeline.resources.instagram.spans import request_span

PAGE_HOSTS = frozenset({"www.instagram.com", "i.instagram.com"})
LARGEST_PAGE = 8_000_000  # bytes after decompression; a profile page has 700,000
_JUDGED = 2_000_000  # characters of a body that are examined
_BEARER = "Bearer IGT:"
_DATA_SCRIPT = b'<script type="application/json"'
_MOST_UNCLOSED = 20
_GRACE_S = 1.0  # on top of the limits for connecting and the first header, so that requests reports the failure first


_BROKEN_CONNECTIONS = (
    failures.ConnectionError,
    failures.Timeout,
    failures.ChunkedEncodingError,
    failures.ContentDecodingError,
)


class RequestStopped(Exception):
    """A request that was not sent, or an answer that was not read to its end, by our own decision."""


class HostRefused(RequestStopped):
    """The request would go to a host outside Instagram and carry cookies there."""


class BudgetSpent(RequestStopped):
    """The attempt has made as many requests as it may."""


class AnswerRefused(RequestStopped):
    """The body is too large, or crafted to keep a parser busy."""


class GovernedAdapter(HTTPAdapter):
    """Sends at most `budget` requests, each after `before_send(host)`, which counts it or raises.

    Args:
        before_send: Called with the host right before each request; whatever it raises stops the request.
        budget: Requests this adapter may send in its life.
        body_timeout_s: Seconds the headers and then the body may take in all; the timeout of requests is per read.
        base_url: When given, every connection goes there, with the path, the query and the Host header kept.
    """

    def __init__(
        self,
        before_send: Callable[[str], None],
        *,
        budget: int,
        body_timeout_s: float,
        base_url: str | None = None,
    ) -> None:
        super().__init__(max_retries=0)
        self._before_send = before_send
        self._left = budget
        self._body_timeout_s = body_timeout_s
        self._base = base_url.rstrip("/") if base_url else None
        self.last_answer: Answer | None = None  # None again while a request is under way
        self.sent = 0
        self.sent_with_session = False

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Check, count and send one request; read its whole body within the limits."""
        target = urlsplit(request.url or "")
        host = _checked_host(target)
        if self._left <= 0:
            raise BudgetSpent("the attempt has made as many requests as it may")
        self._before_send(host)
        self._left -= 1
        self.sent += 1
        self.last_answer = None
        self.sent_with_session = _carries_session(request)
        outgoing = request.copy()
        outgoing.headers["Host"] = host
        if self._base is not None:
            outgoing.url = f"{self._base}{request.path_url}"
        send = partial(super().send, outgoing, True, timeout, verify, cert, proxies)
        with request_span(request.method or "GET", host, self.sent, self.sent_with_session) as span:
            try:
                response = within(self._body_timeout_s + _GRACE_S, send)
            except TimeoutError:
                raise ReadTimeout("the headers did not arrive in time") from None
            response.url, response.request = request.url or "", request
            self.last_answer = _answer(response, self.sent_with_session, "")
            span.note({"http.response.status_code": response.status_code})
            _read(response, time.monotonic() + self._body_timeout_s)
            self.last_answer = _answer(response, self.sent_with_session, response.text[:_JUDGED])
        return response

    def close(self) -> None:
        """Do nothing: sessions that share this adapter are closed while others still use it."""

    def shut(self) -> None:
        """Close the connections."""
        super().close()


def _checked_host(target: SplitResult) -> str:
    host = target.hostname or ""
    if target.scheme != "https" or host not in PAGE_HOSTS or target.netloc != host:
        raise HostRefused(f"'{host}' is not a host of Instagram's pages")
    return host


def _carries_session(request: PreparedRequest) -> bool:
    """Whether the request is authenticated: by a cookie on the site, by a header in calls of the mobile API."""
    if (request.headers.get("authorization") or "").startswith(_BEARER):
        return True
    cookies = (part.strip().partition("=") for part in (request.headers.get("Cookie") or "").split(";"))
    return any(name == "sessionid" and value.strip('"') for name, _, value in cookies)


def _read(response: Response, ends_at: float) -> None:
    """Read the body into the response, so that no later step of requests reads from the connection."""
    if "charset" not in response.headers.get("content-type", "").lower():
        response.encoding = "utf-8"
    response.raw = _Bounded(response.raw, ends_at)
    body = response.content
    unclosed = body[body.rfind(b"</script>") + 1 :].count(_DATA_SCRIPT)
    if unclosed > _MOST_UNCLOSED:
        # Instaloader's pattern would scan from each of them to the end.
        raise AnswerRefused(f"{unclosed} data scripts without an end")


def _answer(response: Response, with_session: bool, body: str) -> Answer:
    return Answer(
        status=response.status_code,
        path=path_of(response.url),
        location=response.headers.get("location", ""),
        content_type=response.headers.get("content-type", ""),
        body=body,
        with_session=with_session,
    )


class _Bounded:
    """A raw body that stops at a size and at a time; everything else is passed to the wrapped body."""

    def __init__(self, raw: Any, ends_at: float) -> None:
        self._raw = raw
        self._ends_at = ends_at

    def stream(self, amt: int, decode_content: bool = True) -> Iterator[bytes]:
        """Yield chunks as they arrive, and check the limits at each, so that a slow server is noticed."""
        read = 0
        while chunk := self._raw.read1(max(amt, 65_536), decode_content=decode_content):
            read += len(chunk)
            if read > LARGEST_PAGE:
                raise AnswerRefused(f"the answer has more than {LARGEST_PAGE:,} bytes")
            if time.monotonic() > self._ends_at:
                raise ReadTimeout("the answer did not arrive in time")
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def is_transport_failure(error: BaseException) -> bool:
    """Whether a failed connection is anywhere in the chain of causes of `error`.

    Not every exception of requests is one: a body that is not JSON (`for (;;);`, an HTML page) raises one too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _BROKEN_CONNECTIONS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
