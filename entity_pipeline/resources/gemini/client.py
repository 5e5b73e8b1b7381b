"""One HTTP request to Gemini through google-genai: no retry, no continuation, no redirect, a bounded body.

Retries belong to the ledger, which keeps a row for each attempt. SDK exceptions end here, and so does the key:
Google's own error messages quote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.deadlines import within
from entity_pipeline.core.gemini.ledger import CALL_LIMIT_S
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Part, Request
from entity_pipeline.core.jsonb import read_json
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError, classify_error
from entity_pipeline.resources.gemini.transport import bounded_event_hooks
from entity_pipeline.resources.gemini.wire_request import JSON

GRACE_S = 2.0  # on top of the call's limit, so that the transport's own limits end the call first
_SHORTEST_KEY = 16  # a local server's key may be a word that occurs in answers


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request provably never left: the connection was refused or could not be made."""

    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request left, but no complete answer came. It may have been paid for."""

    message: str


@dataclass(frozen=True, slots=True)
class Body:
    """A 200 with a JSON object."""

    body: Mapping[str, Any]


Exchange = Body | GeminiError | Unsent | Lost


class GeminiClient:
    """A thread-safe client; one serves all the threads of a step."""

    def __init__(self, api_key: str, base_url: str | None) -> None:
        from google import genai
        from google.genai import types

        self._types = types
        self._key = api_key
        self._client = genai.Client(
            api_key=api_key,
            http_options=types.HttpOptions(
                base_url=base_url,
                api_version="v1beta",
                timeout=CALL_LIMIT_S * 1000,
                # A redirect would carry the key to another host. Proxies of the environment are for the
                # real service, not for a server named explicitly.
                client_args={
                    "follow_redirects": False,
                    "trust_env": base_url is None,
                    "event_hooks": bounded_event_hooks(),
                },
            ),
        )

    def send(self, request: Request) -> Exchange:
        """Send one request and return its answer. Never raises because of what the other side does."""
        try:
            return within(CALL_LIMIT_S + GRACE_S, lambda: self._send(request))
        except TimeoutError:
            return Lost(f"TimeoutError: no complete answer within {CALL_LIMIT_S} s")

    def _send(self, request: Request) -> Exchange:
        import httpx2
        from google.genai import errors

        turn = self._types.Content(role="user", parts=[self._part(part) for part in request.parts])
        config = self._config(request)
        try:
            answer = self._client.models.generate_content(model=request.model, contents=turn, config=config)
        except errors.APIError as error:
            return classify_error(error.code or 0, error.details, request.grounded, self._hidden)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return Unsent(self._hidden(f"{type(error).__name__}: {error}"))
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            return Lost(self._hidden(f"{type(error).__name__}: {error}"))
        return decode(self._hidden((answer.sdk_http_response and answer.sdk_http_response.body) or ""))

    def _config(self, request: Request) -> Any:
        types, generation = self._types, request.generation
        thinking, resolution = generation.thinking_level, generation.media_resolution
        return types.GenerateContentConfig(
            system_instruction=request.system,
            temperature=generation.temperature,
            max_output_tokens=generation.max_output_tokens,
            thinking_config=types.ThinkingConfig(
                thinking_budget=generation.thinking_budget,
                thinking_level=types.ThinkingLevel[thinking.upper()] if thinking else None,
            )
            if thinking or generation.thinking_budget is not None
            else None,
            media_resolution=types.MediaResolution[f"MEDIA_RESOLUTION_{resolution.upper()}"]
            if resolution
            else None,
            response_mime_type=JSON if request.response_schema else None,
            response_schema=request.response_schema,
            tools=[types.Tool(google_search=types.GoogleSearch())] if request.grounded else None,
            automatic_continuation=False,
            should_return_http_response=True,
        )

    def _part(self, part: Part) -> Any:
        if isinstance(part, Picture):
            return self._types.Part.from_bytes(data=part.content(), mime_type=part.mime_type)
        return self._types.Part(text=part.text)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _hidden(self, text: str) -> str:
        return hidden(text, self._key)


def hidden(text: str, key: str) -> str:
    """The text without the key."""
    return text.replace(key, "[key]") if len(key) >= _SHORTEST_KEY else text


def decode(text: str) -> Body | GeminiError:
    """The answer of a 200."""
    try:
        body = read_json(text.removeprefix("\ufeff"))
    except ValueError:
        body = None
    if isinstance(body, dict):
        return Body(body)
    return GeminiError(ErrorKind.OVERLOADED, 200, "UNREADABLE", "The answer is not a JSON object.")
