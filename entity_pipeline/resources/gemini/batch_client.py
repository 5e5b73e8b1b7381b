"""Files and batches through google-genai: raw bodies, no retry, bounded, and never to a host that was not expected.

The SDK's models lose a batch's reason and raise over one answer with details (`JobError.details`), so each body is read
where it arrives, before the SDK parses it. Creating a batch is not idempotent: a failure that leaves open whether it
was made is `Lost` or a `GeminiError` of 5xx, and the caller looks the batch up by its name.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

from entity_pipeline.core.deadlines import within
from entity_pipeline.core.gemini.batch import CREATE_LIMIT_S
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.resources.gemini.client import Body, Exchange, Lost, Unsent, decode, hidden
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, classify_error
from entity_pipeline.resources.gemini.transport import bounded_event_hooks

TRANSFER_LIMIT_S = 900  # a file up or down; the lease of a batch is longer
GRACE_S = 5.0
_PIECE_LIMIT_S = 300  # one request of a transfer
_MOST_BODY_BYTES, _MOST_FILE_BYTES = 64_000_000, 2_000_000_000
_PAGE = 100
_MOST_PAGES = 1_000
# The service refused the first for weeks in 2025.
_MIME_TYPES = ("application/jsonl", "application/json", "text/plain")


class BatchClient:
    """A thread-safe client for files and batches."""

    def __init__(self, api_key: str, base_url: str | None) -> None:
        from google.genai import types

        self._types = types
        self._key = api_key
        self._base_url = base_url
        self._heard = local()
        self._client = self._made(_MOST_BODY_BYTES)
        self._transfers = self._made(_MOST_FILE_BYTES)

    def _made(self, most_bytes: int) -> Any:
        from google import genai

        hooks = bounded_event_hooks(_PIECE_LIMIT_S, most_bytes)
        hooks["request"].append(self._check_host)
        hooks["response"].append(self._keep_body)
        return genai.Client(
            api_key=self._key,
            http_options=self._types.HttpOptions(
                base_url=self._base_url,
                api_version="v1beta",
                timeout=CREATE_LIMIT_S * 1000,
                client_args={
                    "follow_redirects": False,
                    "trust_env": self._base_url is None,
                    "event_hooks": hooks,
                },
            ),
        )

    def upload(self, path: Path, name: str) -> Exchange:
        """Upload a file of JSON lines; the body is the file's own record. It costs nothing, so it may be repeated."""
        exchange: Exchange = Unsent("nothing was tried")
        for mime_type in _MIME_TYPES:
            # For another server than Google's, the address that it names is replaced by its own.
            options = self._types.HttpOptions(base_url=self._base_url) if self._base_url else None
            config = self._types.UploadFileConfig(
                display_name=name, mime_type=mime_type, http_options=options
            )
            exchange = self._exchange(
                partial(self._transfers.files.upload, file=path, config=config), TRANSFER_LIMIT_S
            )
            if not (isinstance(exchange, GeminiError) and exchange.kind is ErrorKind.REFUSED):
                break
        if not isinstance(exchange, Body):
            return exchange
        file = json_object(exchange.body.get("file"))
        return Body(file) if json_text(file.get("name")) else Lost("the upload was answered without a file")

    def create(self, model: str, file_name: str, name: str) -> Exchange:
        """Create the batch, once."""
        config = self._types.CreateBatchJobConfig(display_name=name)
        return self._exchange(
            lambda: self._client.batches.create(model=model, src=file_name, config=config), CREATE_LIMIT_S
        )

    def get(self, google_name: str) -> Exchange:
        """The batch as Gemini has it."""
        return self._exchange(lambda: self._client.batches.get(name=google_name), CREATE_LIMIT_S)

    def cancel(self, google_name: str) -> Exchange:
        """Ask for its cancellation, which takes its time."""
        return self._exchange(lambda: self._client.batches.cancel(name=google_name), CREATE_LIMIT_S)

    def pages(self) -> Iterator[Exchange]:
        """All batches of the project, a raw page at a time; after anything but a `Body` the list is not whole."""

        def page(token: str | None) -> Any:
            config = self._types.ListBatchJobsConfig(page_size=_PAGE, page_token=token)
            return self._client.batches.list(config=config)

        return self._pages(page)

    def file_pages(self) -> Iterator[Exchange]:
        """All uploaded files of the project, in the same way. Files of results are not among them."""

        def page(token: str | None) -> Any:
            config = self._types.ListFilesConfig(page_size=_PAGE, page_token=token)
            return self._client.files.list(config=config)

        return self._pages(page)

    def delete_file(self, file_name: str) -> Exchange:
        """Delete an uploaded file."""
        return self._exchange(lambda: self._client.files.delete(name=file_name), CREATE_LIMIT_S)

    def _pages(self, page: Callable[[str | None], Any]) -> Iterator[Exchange]:
        token: str | None = None
        for _ in range(_MOST_PAGES):
            exchange = self._exchange(partial(page, token), CREATE_LIMIT_S)
            yield exchange
            token = json_text(exchange.body.get("nextPageToken")) if isinstance(exchange, Body) else None
            if not token:
                return
        yield Lost(f"the list has more than {_MOST_PAGES} pages")

    def download(self, file_name: str, path: Path) -> Exchange:
        """Write a file of results to `path`; after anything but a `Body` the path holds a part of it or nothing."""

        def stream() -> None:
            self._transfers.files.download(file=file_name, destination=path)
            self._heard.body = b"{}"

        return self._exchange(stream, TRANSFER_LIMIT_S)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._transfers.close()

    def _exchange(self, act: Callable[[], Any], limit_s: float) -> Exchange:
        """What an SDK call heard last. Never raises because of what the other side does."""
        try:
            return within(limit_s + GRACE_S, lambda: self._acted(act))
        except TimeoutError:
            return Lost(f"TimeoutError: no complete answer within {limit_s} s")

    def _acted(self, act: Callable[[], Any]) -> Exchange:
        import httpx2
        from google.genai import errors

        self._heard.body = None
        try:
            act()
        except errors.APIError as error:
            return classify_error(error.code or 0, error.details, False, self._hidden)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return Unsent(self._hidden(f"{type(error).__name__}: {error}"))
        except httpx2.HTTPError as error:
            return Lost(self._hidden(f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001 - the SDK fails in many ways over an answer that was heard
            if self._heard.body is None:
                return Lost(self._hidden(f"{type(error).__name__}: {error}"))
        heard = self._heard.body
        return (
            decode(self._hidden(heard.decode("utf-8", "replace"))) if heard is not None else Lost("no answer")
        )

    def _keep_body(self, response: Any) -> None:
        """Keep the body of a success; that of a download goes to its file."""
        self._heard.body = None
        if response.status_code == 200 and not response.request.url.path.endswith(":download"):
            self._heard.body = response.read()

    def _check_host(self, request: Any) -> None:
        """Bytes go where the answer to an upload's start says; they hold pictures of people."""
        import httpx2

        host = request.url.host
        wanted = urlsplit(self._base_url).hostname if self._base_url else None
        if host != wanted if wanted else not f".{host}".endswith(".googleapis.com"):
            raise httpx2.ConnectError(f"{host} is not a host of Gemini", request=request)

    def _hidden(self, text: str) -> str:
        return hidden(text, self._key)
