"""The values of the list of accounts: a query, a page of rows, and counts. Reading them belongs to `queue.py`."""

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.models import AccountRole, AccountType


class QueueSort(StrEnum):
    """Orders of the queue. `most_tagged` is the order in which the pipeline takes accounts."""

    MOST_TAGGED = "most_tagged"
    OLDEST = "oldest"
    NEWEST_CHANGE = "newest_change"
    USERNAME = "username"


# The value of a filter that selects accounts without one.
NONE = "none"

PAGE_SIZE = 50
LARGEST_PAGE = 200


def _written_as_day(value: Any) -> Any:
    """Refuse a bare number, which pydantic would read as seconds since 1970."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) is None:
        raise ValueError("must be a day as YYYY-MM-DD")
    return value


def _as_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class QueueQuery(BaseModel):
    """Filters, search, order and place. A filter that is left out has no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Annotated[tuple[AccountState, ...], BeforeValidator(_as_many)] = Field(
        default=(), description="One or more states; none means all."
    )
    type: AccountType | Literal["none"] | None = None
    role: AccountRole | Literal["none"] | None = None
    region: Annotated[str, Field(pattern=r"^([A-Z]{2}|none)$")] | None = Field(
        default=None, description="ISO 3166-1 alpha-2, or `none`."
    )
    reason: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")] | None = Field(
        default=None,
        description="Only accounts held or failed for this reason, among others: a value of the counts.",
    )
    cohort: Annotated[date, BeforeValidator(_written_as_day)] | None = None
    search: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="A part of the username or of a name."
    )
    sort: QueueSort = QueueSort.MOST_TAGGED
    cursor: Annotated[str, Field(max_length=600)] | None = Field(
        default=None, description="`next_cursor` or `previous_cursor` of another page of the same query."
    )
    limit: int = Field(default=PAGE_SIZE, ge=1, le=LARGEST_PAGE)


class QueueRow(Shown):
    """One account in the queue."""

    id: UUID
    username: str
    state: AccountState
    name_en: str | None
    name_ko: str | None
    type: str | None
    is_unproven: bool = Field(description="Whether the type is only a claim of the review, without proof.")
    role: str | None
    region: str | None
    cohort: date
    posts: int = Field(description="Posts that tag it.")
    confidence: float | None
    reasons: list[str] = Field(description="Why it is held; values of HoldReason, or older ones.")
    run_id: str | None = Field(description="The run that decided about the catalog.")
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ExportRow(QueueRow):
    """One account in an export: also what a person needs who does not have the page."""

    handle: str | None = Field(description="The normalised handle; null for an invalid one.")
    address: str | None = Field(description="The account on Instagram.")
    cost_usd: Decimal | None = Field(description="What its requests to Gemini cost; null while unknown.")


class QueuePage(Shown):
    """One page. A cursor is None at the end of the list in that direction."""

    rows: list[QueueRow]
    next_cursor: str | None
    previous_cursor: str | None


class Count(Shown):
    """The number of accounts with one value."""

    value: str
    accounts: int
    meaning: Sentence | None = Field(default=None, description="The sentence of a held reason.")


class Counts(Shown):
    """Counts of the list, at most some seconds old."""

    total: int
    states: list[Count] = Field(description="Every state, in the order of AccountState, zeros included.")
    held_reasons: list[Count] = Field(description="Most frequent first.")
    failed_reasons: list[Count] = Field(description="Why reviews failed, most frequent first.")
    list_as_of: datetime | None = Field(
        description="Everything committed by then is in the list; None before it was filled."
    )
    list_is_late: bool = Field(description="Whether the list is too far behind the accounts.")
    as_of: datetime
