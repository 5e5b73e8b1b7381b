"""The values of one account. Reading them belongs to `accounts.py`."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field

from entity_pipeline.admin.ledger_rows import LedgerEntry
from entity_pipeline.admin.shown import Shown
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.links.logic.decisions import FactKind
from entity_pipeline.domains.entities.models import EntityTable
from entity_pipeline.domains.entities.page.queue_values import Count


class ScoredField(Shown):
    """One field of the review. `confidence` is the model's own; None if it gave none."""

    name: str
    value: str | None
    confidence: float | None


class EvidenceFigures(Shown):
    """A sentence of the reply and the source that supports it. `uri` is an http(s) address or None."""

    claim: str
    uri: str | None
    title: str | None
    names_account: bool


class ReviewFigures(Shown):
    """The stored review; texts come from a model and from hostile profiles."""

    status: str
    fields: list[ScoredField]
    raw_confidence: float | None
    confidence: float | None = Field(description="Calibrated and capped.")
    threshold: float | None = Field(description="The confidence that its type needs; None for other types.")
    grounded: bool | None
    reasoning: str | None
    evidence: list[EvidenceFigures]
    search_queries: list[str]
    has_search_suggestions: bool = Field(
        description="Whether the stored reply has Google's search suggestions."
    )
    model: str | None
    model_version: str | None
    prompt_version: str | None
    reviewed_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    notes: list[str]


class ProfileFigures(Shown):
    """The profile as Instagram showed it, and its source."""

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


class FactFigures(Shown):
    """A value that a person must compare to settle a hold."""

    reason: str
    kind: FactKind
    text: str
    table: EntityTable | None
    id: UUID | None


class LinkFigures(Shown):
    """The link decision for the review."""

    status: str
    entity_table: str | None
    entity_id: UUID | None
    entity_name: str | None
    reasons: list[Count] = Field(description="`value` and `meaning`; `accounts` is 1.")
    facts: list[FactFigures] = Field(description="What the reasons are about.")
    rules_version: str | None
    run_id: str | None
    run_url: str | None
    linked_at: datetime | None


class PostFigures(Shown):
    """A post that tags the account."""

    collected_at: datetime
    address: str | None = Field(description="The post on Instagram; None where its code is not known.")
    words: str | None = Field(description="The first words of its caption.")


class HistoryRow(Shown):
    """One row of `admin_audit_log` about the account or about writes made for it."""

    at: datetime
    action: str
    verb: str | None = Field(description="`action` without the pipeline, where it is one of ours.")
    by: str = Field(description="`pipeline`, `page`, `command` or the uuid of a person.")
    who: str | None = Field(description="The name that the person gave.")
    table: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    run_id: str | None
    run_url: str | None


class AccountFigures(Shown):
    """Everything that is known about one account. Read only: people correct it elsewhere (`edit_url`)."""

    id: UUID
    username: str
    handle: str | None = Field(
        description="The normalised handle, for the link to Instagram; None for an invalid one."
    )
    is_active: bool
    state: AccountState
    name_en: str | None
    name_ko: str | None
    is_unproven: bool = Field(
        description="Whether it is held because a claim of its review is not proven: the type is only claimed then."
    )
    type: str | None = Field(description="The catalog column account_type.")
    role: str | None
    region: str | None
    cohort: date
    posts: int
    first_tagged_at: datetime | None
    last_tagged_at: datetime | None
    sample_posts: list[str]
    posts_shown: list[PostFigures] | None = Field(
        description="Those of `sample_posts` that still exist, newest first; None while posts can't be read."
    )
    created_at: datetime
    updated_at: datetime
    profile: ProfileFigures
    review: ReviewFigures
    link: LinkFigures
    history: list[HistoryRow] = Field(description="Newest first, at most 100.")
    ledger: list[LedgerEntry] | None = Field(description="Newest first; None while the ledger can't be read.")
    cost_usd: Decimal | None
    edit_url: str | None = Field(description="The address where a person corrects it, if configured.")
