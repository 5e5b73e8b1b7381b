"""The entities' part of the API: under `/api/v1/entities`, and under its first name, `/api/v1`."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import Response, StreamingResponse

from entity_pipeline.admin.api import Sender, problem
from entity_pipeline.admin.changes import SettingsChange
from entity_pipeline.domains.entities.page.account_values import AccountFigures
from entity_pipeline.domains.entities.page.mounted import TheFigures
from entity_pipeline.domains.entities.page.queue_values import Counts, QueuePage, QueueQuery
from entity_pipeline.domains.entities.page.scheduler import SchedulerFigures

Username = Annotated[str, Path(min_length=1, max_length=200)]

router = APIRouter()
_REFUSED: dict[int | str, dict[str, Any]] = {422: problem("Nothing was changed; `detail` says why.")}


@router.get("/scheduler")
def scheduler(figures: TheFigures) -> SchedulerFigures:
    """The switch, what the schedule would launch now, and why it waits."""
    return figures.scheduler()


@router.patch(
    "/scheduler",
    responses={409: problem("The row was changed in the meantime; `current` is its present state.")},
)
def change_scheduler(figures: TheFigures, sender: Sender, change: SettingsChange) -> SchedulerFigures:
    """Switch on or off, or change settings; refused when the row has changed since it was read."""
    return figures.change(change, sender)


@router.get("/queue")
def queue(figures: TheFigures, query: Annotated[QueueQuery, Query()]) -> QueuePage:
    """One page of accounts."""
    return figures.queue(query)


@router.get("/queue/counts")
def counts(figures: TheFigures) -> Counts:
    """The number of accounts in each state and with each reason."""
    return figures.counts()


@router.get("/queue/export.csv", response_class=Response)
def export_csv(figures: TheFigures, query: Annotated[QueueQuery, Query()]) -> StreamingResponse:
    """Every account of the query as CSV."""
    return figures.export(query, "csv")


@router.get("/queue/export.json", response_class=Response)
def export_json(figures: TheFigures, query: Annotated[QueueQuery, Query()]) -> StreamingResponse:
    """Every account of the query as one JSON array."""
    return figures.export(query, "json")


@router.post("/accounts/{username}/ask-again", status_code=204, responses=_REFUSED)
def ask_again(figures: TheFigures, sender: Sender, username: Username) -> None:
    """Let the next run ask Gemini again about an account whose review failed."""
    figures.ask_again(username, sender)


@router.post("/accounts/{username}/decide-again", status_code=204, responses=_REFUSED)
def decide_again(figures: TheFigures, sender: Sender, username: Username, replace_type: bool = False) -> None:
    """Let the next linking run decide again about a held or undone account.

    With `replace_type`, the type that someone else wrote to the account gives way to the review's.
    """
    figures.decide_again(username, sender, replace_type=replace_type)


@router.get("/accounts/{username}", responses={404: problem("The account does not exist.")})
def account(figures: TheFigures, username: Username) -> AccountFigures:
    """Everything that is known about one account."""
    found = figures.account(username)
    if found is None:
        raise HTTPException(404, "There is no account with this name.")
    return found
