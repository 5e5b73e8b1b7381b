"""`/api/v1`: what all domains share, for programs with a bearer token; only `health` is open to everyone.

A domain's routes belong to its page; the descriptions of failures here are for them too.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from entity_pipeline.admin.access import Visitor, with_bearer
from entity_pipeline.admin.gemini_quota import QuotaFigures
from entity_pipeline.admin.health import Health
from entity_pipeline.admin.overview import DomainFigures, domain_figures
from entity_pipeline.admin.paths import API_PATH
from entity_pipeline.admin.shell import Shell, shell_of


class ProblemDetails(BaseModel):
    """A failure in the form of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


def problem(description: str) -> dict[str, Any]:
    """The description of a failure for `responses` of a route."""
    schema = ProblemDetails.model_json_schema()
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_ANYWHERE: dict[int | str, dict[str, Any]] = {
    400: problem("The request can't be read."),
    413: problem("The request is too large."),
    422: problem("A value is not allowed; `problems` says which."),
    503: problem("A database can't be reached, or something in it is missing; the sentence says what."),
}
WITH_TOKEN = _ANYWHERE | {
    401: problem("The token is missing or wrong."),
    429: problem("Too many wrong tokens from this address."),
}

_bearer = HTTPBearer(auto_error=False, description="ADMIN_TOKEN")
NEEDS_TOKEN = [Depends(_bearer), Depends(with_bearer)]
"""The dependencies of every route but `health`."""

TheShell = Annotated[Shell, Depends(shell_of)]
Sender = Annotated[Visitor, Depends(with_bearer)]

_open = APIRouter(tags=["health"], responses=_ANYWHERE)
_shared = APIRouter(tags=["shared"], dependencies=NEEDS_TOKEN, responses=WITH_TOKEN)


@_open.get("/health", responses={503: {"model": Health, "description": "A database can't be reached."}})
def health(shell: TheShell) -> Response:
    """The health of the installation. Needs no token and reveals nothing useful to a stranger."""
    found = shell.figures.health()
    return JSONResponse(found.model_dump(mode="json"), 200 if found.ok else 503)


@_shared.get("/domains")
def domains(shell: TheShell) -> list[DomainFigures]:
    """One row per domain: switch, backlog, today's spend, failing jobs."""
    return domain_figures(shell.installation, shell.pages)


@_shared.get("/quota")
def quota(shell: TheShell) -> QuotaFigures:
    """Today's figures of the ledger, the last 30 days and the forecast."""
    return shell.figures.quota()


router = APIRouter(prefix=API_PATH)
router.include_router(_open)
router.include_router(_shared)
