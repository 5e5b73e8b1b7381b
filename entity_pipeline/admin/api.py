"""`/api/v1`: the figures of the page for programs, with a bearer token; `health` alone is open to everybody."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from entity_pipeline.admin.access import Visitor, with_bearer
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.figures import (
    AccountFigures,
    Counts,
    Health,
    QueuePage,
    QueueQuery,
    QuotaFigures,
    SchedulerFigures,
    SettingsChange,
)


class ProblemDetails(BaseModel):
    """A failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]
Sender = Annotated[Visitor, Depends(with_bearer)]
Username = Annotated[str, Path(min_length=1, max_length=200)]


def _problem(description: str) -> dict[str, Any]:
    schema = ProblemDetails.model_json_schema()
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_ANYWHERE: dict[int | str, dict[str, Any]] = {
    400: _problem("The request can't be read."),
    413: _problem("The request is too large."),
    422: _problem("A value is not allowed; `problems` says which."),
    503: _problem("A database is away or lacks something; the sentence says what."),
}
_SIGNED_IN = _ANYWHERE | {
    401: _problem("The token is missing or wrong."),
    429: _problem("Too many wrong tokens from this address."),
}
_MISSING = _SIGNED_IN | {404: _problem("There is no such account.")}

health_router = APIRouter(prefix="/api/v1", tags=["health"], responses=_ANYWHERE)
_bearer = HTTPBearer(auto_error=False, description="ADMIN_TOKEN")
figures_router = APIRouter(
    prefix="/api/v1", tags=["figures"], dependencies=[Depends(_bearer), Depends(with_bearer)]
)


@health_router.get("/health", responses={503: {"model": Health, "description": "A database is away."}})
def health(desk: TheDesk) -> Response:
    """What works. No token; says nothing that a stranger could use."""
    found = desk.health()
    return JSONResponse(found.model_dump(mode="json"), 200 if found.ok else 503)


@figures_router.get("/scheduler", responses=_SIGNED_IN)
def scheduler(desk: TheDesk) -> SchedulerFigures:
    """The switch, what the schedule would do now and why it waits."""
    return desk.scheduler()


@figures_router.patch(
    "/scheduler",
    responses=_SIGNED_IN | {409: _problem("The row was changed meanwhile; `current` is how it stands.")},
)
def change_scheduler(desk: TheDesk, sender: Sender, change: SettingsChange) -> SchedulerFigures:
    """Switch on or off, or change settings; refused when the row is not the one the change was made from."""
    return desk.change(change, sender)


@figures_router.get("/quota", responses=_SIGNED_IN)
def quota(desk: TheDesk) -> QuotaFigures:
    """The ledger's day, 30 days and the forecast."""
    return desk.quota()


@figures_router.get("/queue", responses=_SIGNED_IN)
def queue(desk: TheDesk, query: Annotated[QueueQuery, Query()]) -> QueuePage:
    """One page of accounts."""
    return desk.queue(query)


@figures_router.get("/queue/counts", responses=_SIGNED_IN)
def counts(desk: TheDesk) -> Counts:
    """How many accounts are in each state, and why."""
    return desk.counts()


@figures_router.get("/queue/export.csv", responses=_SIGNED_IN, response_class=Response)
def export_csv(desk: TheDesk, query: Annotated[QueueQuery, Query()]) -> StreamingResponse:
    """Every account of the query as CSV."""
    return download(desk, query, "csv")


@figures_router.get("/queue/export.json", responses=_SIGNED_IN, response_class=Response)
def export_json(desk: TheDesk, query: Annotated[QueueQuery, Query()]) -> StreamingResponse:
    """Every account of the query as one JSON array."""
    return download(desk, query, "json")


@figures_router.get("/accounts/{username}", responses=_MISSING)
def account(desk: TheDesk, username: Username) -> AccountFigures:
    """Everything that is known of one account."""
    found = desk.account(username)
    if found is None:
        raise HTTPException(404, "There is no account of this name.")
    return found


def download(desk: Desk, query: QueueQuery, form: str) -> StreamingResponse:
    """The export as a file. The first batch is read here, so that a failure is still an answer of its own."""
    chunks = desk.export_csv(query) if form == "csv" else desk.export_json(query)
    first = next(chunks, b"")

    def whole() -> Any:
        yield first
        yield from chunks

    return StreamingResponse(
        whole(),
        media_type="text/csv; charset=utf-8" if form == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="accounts.{form}"'},
    )


router = APIRouter()
router.include_router(health_router)
router.include_router(figures_router)
