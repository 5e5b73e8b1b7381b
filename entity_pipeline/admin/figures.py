"""What the page and the API show, as values: one model a screen, the same for both.

Surprising: no figure is computed twice. Each comes from the function that the pipeline itself decides by
(`GeminiAccess.quota`, `core.settings.gate`, `logic.plan.plan`), so that page, API, command and ledger agree.
Instants are aware datetimes in UTC; money is a Decimal in USD.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from entity_pipeline.domains.entities.models import AccountRole, AccountType


class Figures(BaseModel):
    """Base of everything shown: immutable, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- scheduler ---


class Tick(Figures):
    """One evaluation of a sensor or schedule; `said` is why it skipped, or its error."""

    name: str
    at: datetime
    status: Literal["started", "skipped", "success", "failure"]
    said: str | None
    runs: list[str] = Field(description="Ids of the runs it asked for.")


class RunInFlight(Figures):
    """A run that waits or works."""

    run_id: str
    job: str = Field(description="The job; for a backfill or chosen assets, the assets.")
    status: str = Field(description="Dagster's word: QUEUED, STARTED, CANCELING ...")
    partitions: str | None = Field(description="A day, or `first...last`.")
    since: datetime | None
    url: str | None = Field(description="The run in the Dagster UI, when its address is configured.")


class DagsterFigures(Figures):
    """What Dagster's storage says. `away` is a sentence when it can't be asked, and then the lists are empty."""

    away: str | None
    ui_url: str | None
    ticks: list[Tick] = Field(description="The newest of each schedule and sensor, schedules first.")
    runs: list[RunInFlight]


class PlannedCohort(Figures):
    """A run that the schedule would ask for now."""

    cohort: date
    accounts: int = Field(description="Most reviews; 0 where only profiles are due.")


class SchedulerFigures(Figures):
    """The switch, what the schedule would do now, and why it waits."""

    is_enabled: bool = Field(description="The switch as stored; False when there is no row.")
    is_open: bool = Field(description="Switched on and every setting readable: the pipeline may work.")
    closed_because: str | None = Field(description="A sentence while `is_open` is false.")
    updated_at: datetime | None = Field(description="The version of the row: send it back with a change.")
    updated_by: str | None
    plan: list[PlannedCohort] = Field(description="What the next tick would launch; empty while it waits.")
    waits_because: str | None = Field(description="A sentence while `plan` is empty.")
    next_tick_at: datetime
    settings: dict[str, Any] = Field(
        description="Every setting in effect; the defaults where none is stored."
    )
    stored: dict[str, Any] = Field(description="Only what is stored, readable or not.")
    dagster: DagsterFigures
    as_of: datetime


# --- quota ---


class ModelCost(Figures):
    """What one model cost, in USD, and how many requests were made."""

    model: str
    requests: int
    grounded_requests: int
    today_usd: Decimal
    month_usd: Decimal = Field(description="The Pacific calendar month so far, today included.")


class QuotaDay(Figures):
    """One Pacific day of all pipelines."""

    day: date
    requests: int
    grounded_requests: int
    search_queries: int
    cost_usd: Decimal


class Forecast(Figures):
    """When the backlog is reviewed at this cap. `done_on` is a Pacific day, None when it is never."""

    pending: int = Field(description="Accounts that wait for a review, due or put off.")
    per_day: int = Field(description="Reviews a Pacific day at the cap.")
    left_today: int
    done_on: date | None
    says: str = Field(description="The same as a sentence.")


class QuotaFigures(Figures):
    """The ledger's day, to the unit; see `core.ledger.QuotaStatus`."""

    model: str
    unit: Literal["prompt", "query"]
    quota_day: date = Field(description="The Pacific day.")
    used: int
    reserved: int
    remaining: int
    cap: int
    cap_reached: bool
    units_per_request: int
    blocked_until: datetime | None = Field(description="Google refuses requests until then.")
    resets_at: datetime = Field(description="When the cap opens again.")
    next_reset_at: datetime = Field(description="The reset after `resets_at`.")
    spent_usd: Decimal
    spend_limit_usd: Decimal
    models: list[ModelCost]
    history: list[QuotaDay] = Field(description="30 Pacific days, oldest first, today last; gaps are zeros.")
    forecast: Forecast | None = Field(description="None while the queue's database is away.")
    as_of: datetime


# --- queue ---


class QueueState(StrEnum):
    """Where an account stands; exactly one holds. Kept in `enrichment_queue.state`."""

    PENDING = "pending"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNDECIDED = "undecided"
    HELD = "held"
    LINKED = "linked"
    CREATED = "created"
    ATTACHED = "attached"
    UNDONE = "undone"
    LEFT_ALONE = "left_alone"


class QueueSort(StrEnum):
    """Orders of the queue. `most_tagged` is the order in which the pipeline takes accounts."""

    MOST_TAGGED = "most_tagged"
    OLDEST = "oldest"
    NEWEST_CHANGE = "newest_change"
    USERNAME = "username"


# The value of a filter that asks for accounts without one.
NONE = "none"

PAGE_SIZE = 50
LARGEST_PAGE = 200


def _written_as_day(value: Any) -> Any:
    """A bare number is no day, which pydantic would read as seconds since 1970."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) is None:
        raise ValueError("must be a day as YYYY-MM-DD")
    return value


class QueueQuery(BaseModel):
    """Filters, search, order and place. Every one left out does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: QueueState | None = None
    type: AccountType | Literal["none"] | None = None
    role: AccountRole | Literal["none"] | None = None
    region: Annotated[str, Field(pattern=r"^([A-Z]{2}|none)$")] | None = Field(
        default=None, description="ISO 3166-1 alpha-2, or `none`."
    )
    reason: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")] | None = Field(
        default=None, description="Held or failed for this reason, maybe among others: a value of the counts."
    )
    cohort: Annotated[date, BeforeValidator(_written_as_day)] | None = None
    search: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="What the username or a name begins with."
    )
    sort: QueueSort = QueueSort.MOST_TAGGED
    cursor: Annotated[str, Field(max_length=600)] | None = Field(
        default=None, description="`next_cursor` or `previous_cursor` of another page of the same query."
    )
    limit: int = Field(default=PAGE_SIZE, ge=1, le=LARGEST_PAGE)


class QueueRow(Figures):
    """One account in the queue."""

    id: UUID
    username: str
    state: QueueState
    name_en: str | None
    name_ko: str | None
    type: str | None
    role: str | None
    region: str | None
    cohort: date
    posts: int = Field(description="Posts that tag it.")
    confidence: float | None
    reasons: list[str] = Field(description="Why it is held; values of HoldReason, or older ones.")
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime


class QueuePage(Figures):
    """One page. A cursor is None at the end of the list in that direction."""

    rows: list[QueueRow]
    next_cursor: str | None
    previous_cursor: str | None


class Count(Figures):
    """How many accounts have one value."""

    value: str
    accounts: int
    meaning: str | None = Field(default=None, description="The sentence of a held reason.")


class Counts(Figures):
    """How the queue is made up, at most some seconds old."""

    total: int
    states: list[Count] = Field(description="Every state, in the order of QueueState, zeros included.")
    held_reasons: list[Count] = Field(description="Most frequent first.")
    failed_reasons: list[Count] = Field(description="Why reviews failed, most frequent first.")
    as_of: datetime


# --- account ---


class ScoredField(Figures):
    """One field of the review. `confidence` is the model's own, None where it gave none."""

    name: str
    value: str | None
    confidence: float | None


class EvidenceFigures(Figures):
    """A sentence of the reply and the source that supports it. `uri` is https/http or None."""

    claim: str
    uri: str | None
    title: str | None
    names_account: bool


class ReviewFigures(Figures):
    """The stored review; texts come from a model and from hostile profiles."""

    status: str
    fields: list[ScoredField]
    raw_confidence: float | None
    confidence: float | None = Field(description="Calibrated and capped.")
    threshold: float | None = Field(description="What its type needs to be written; None for other types.")
    grounded: bool | None
    reasoning: str | None
    evidence: list[EvidenceFigures]
    search_queries: list[str]
    has_search_suggestions: bool = Field(description="The stored reply has Google's search suggestions.")
    model: str | None
    model_version: str | None
    prompt_version: str | None
    reviewed_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    notes: list[str]


class ProfileFigures(Figures):
    """What Instagram showed, and where it came from."""

    status: str
    outcome: str | None
    display_name: str | None
    bio: str | None
    image_url: str | None = Field(description="https/http, or None.")
    instagram_id: str | None
    source: str | None
    fetched_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    fields_written: list[str]
    history: list[dict[str, Any]]


class LinkFigures(Figures):
    """What became of the review."""

    status: str
    entity_table: str | None
    entity_id: UUID | None
    entity_name: str | None
    reasons: list[Count] = Field(description="`value` and `meaning`; `accounts` is 1.")
    rules_version: str | None
    run_id: str | None
    run_url: str | None
    linked_at: datetime | None


class HistoryRow(Figures):
    """One row of `admin_audit_log` about the account or what was written for it."""

    at: datetime
    action: str
    by: str = Field(description="`pipeline`, `administration page` or the uuid of a person.")
    table: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    run_id: str | None


class LedgerRow(Figures):
    """One request to Gemini that this account cost."""

    id: str
    at: datetime
    kind: str | None
    model: str | None
    state: str
    grounded: bool
    search_queries: int | None
    tokens: int
    cost_usd: Decimal | None
    latency_ms: int | None
    error: str | None


class AccountFigures(Figures):
    """Everything that is known of one account. Read only: people correct it elsewhere (`edit_url`)."""

    id: UUID
    username: str
    handle: str | None = Field(
        description="Normalised, for the link to Instagram; None when it can't be one."
    )
    is_active: bool
    state: QueueState
    name_en: str | None
    name_ko: str | None
    type: str | None = Field(description="The catalog column account_type.")
    role: str | None
    region: str | None
    cohort: date
    posts: int
    first_tagged_at: datetime | None
    last_tagged_at: datetime | None
    sample_posts: list[str]
    created_at: datetime
    updated_at: datetime
    profile: ProfileFigures
    review: ReviewFigures
    link: LinkFigures
    history: list[HistoryRow] = Field(description="Newest first, at most 100.")
    ledger: list[LedgerRow] | None = Field(description="Newest first; None while the ledger is away.")
    cost_usd: Decimal | None
    edit_url: str | None = Field(description="Where a person corrects it, when configured.")


# --- health, changes ---


class Part(Figures):
    """One thing the page depends on; `problem` is a sentence, None when it is fine."""

    name: str
    problem: str | None


class Health(Figures):
    """`ok` is false when a database is away; Dagster's storage alone does not make it false."""

    ok: bool
    parts: list[Part]


class SettingsChange(BaseModel):
    """A change of the switch or of some settings, made from a row as it was at `updated_at`.

    `settings` is merged into what is stored; a nested object is merged too. A null goes back to the default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    updated_at: datetime | None = Field(
        description="`updated_at` of the row the change was made from; null when there was no row."
    )
    is_enabled: bool | None = None
    settings: dict[str, Any] | None = None
