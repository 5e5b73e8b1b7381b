"""Every failure as a response: problem details (RFC 9457) for programs, a page for people.

A handler never catches a failure to answer it. It raises, and the table here gives the status.
"""

import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from entity_pipeline.admin.access import TooManyTries
from entity_pipeline.core.failures import (
    DatabaseUnavailable,
    InputRejected,
    PipelineFailure,
)
from entity_pipeline.core.settings_change import StaleSettings

FOR_PROGRAMS = ("/api/", "/metrics")
_log = logging.getLogger(__name__)


class Problem:
    """One failure. `more` has further members of the problem beside the standard ones."""

    def __init__(
        self,
        status: int,
        detail: str,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.title = HTTPStatus(status).phrase
        self.detail = detail
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def as_json(self) -> Response:
        """The response for programs."""
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        # In ASCII: the sentence may quote the client, and a lone surrogate can't be encoded in UTF-8.
        text = json.dumps(jsonable_encoder(body | self.more))
        return Response(text, self.status, self.headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem:
    """The problem for an exception."""
    if isinstance(error, HTTPException):
        return Problem(error.status_code, str(error.detail), headers=error.headers)
    if isinstance(error, RequestValidationError):
        found = [
            {"at": [str(part) for part in problem["loc"]], "problem": _in_words(problem)}
            for problem in error.errors()
        ]
        said = "; ".join(f"{'.'.join(item['at'][1:]) or item['at'][0]}: {item['problem']}" for item in found)
        return Problem(422, f"The request can't be used: {said}.", {"problems": found})
    if isinstance(error, TooManyTries):
        return Problem(429, str(error), headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, StaleSettings):
        stands = error.row and {
            "is_enabled": error.row.is_enabled,
            "settings": error.row.settings,
            "updated_at": error.row.updated_at,
            "updated_by": error.row.updated_by,
        }
        return Problem(409, str(error), {"current": stands})
    if isinstance(error, InputRejected):
        return Problem(422, str(error))
    if isinstance(error, DatabaseUnavailable):
        return Problem(503, str(error), headers={"Retry-After": "5"})
    if isinstance(error, PipelineFailure):
        return Problem(503, str(error))
    return Problem(500, "An internal error occurred; the details are in the server's log.")


def _in_words(problem: Mapping[str, Any]) -> str:
    """What a validation found, without the expressions that it is checked by."""
    if problem["type"] == "string_pattern_mismatch":
        return "this form is not allowed; the description (/api/v1/openapi.json) says what is"
    return str(problem["msg"]).removeprefix("Value error, ")


def answer_problems(app: FastAPI, page: Callable[[Request, Problem], Response]) -> None:
    """Turn every exception into a response; `page` makes the one for people."""

    def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status == 500:
            _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        is_for_programs = request.url.path.startswith(FOR_PROGRAMS)
        return problem.as_json() if is_for_programs else page(request, problem)

    for kind in (HTTPException, RequestValidationError, TooManyTries, PipelineFailure, Exception):
        app.add_exception_handler(kind, answer)
