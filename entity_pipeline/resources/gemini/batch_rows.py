"""What the ledger of batches gives and takes, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from entity_pipeline.core.gemini.batch import BatchState
from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.gemini.ledger import Admission
from entity_pipeline.core.gemini.settings import GeminiSettings


@dataclass(frozen=True, slots=True)
class ReservedBatch:
    """The batch of some calls and the decision on each call, by subject.

    `name` is None where no call needs a request. `is_new` says that it was reserved here and now, by the caller; else
    it is an open batch about the same, as it stands. `places` are the ledger's ids of its requests.
    """

    name: str | None
    is_new: bool
    state: BatchState
    lease_until: datetime | None
    places: Mapping[str, EventId]
    decisions: Mapping[str, Admission]
    settings: GeminiSettings


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of `gemini_batches`; `now` is the database's clock."""

    name: str
    pipeline: str
    step: str
    model: str
    state: str
    google_name: str | None
    created_at: datetime
    lease_until: datetime
    creating_at: datetime | None
    submitted_at: datetime | None
    absent_since: datetime | None
    cancel_requested_at: datetime | None
    outcome: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What the cost of one request of a batch depends on; satisfies `core.gemini.usage.Bounded`."""

    id: EventId
    subject: str
    state: str
    model: str
    billed_model: str | None
    quota_day: date
    input_hash: str
    most_prompt_tokens: int
    most_output_tokens: int

    @property
    def grounded(self) -> bool:
        """A batch asks without a search."""
        return False


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """One request of a batch with its reply or error, as stored."""

    id: EventId
    subject: str
    state: str
    model: str
    billed_model: str | None
    model_version: str | None
    input_hash: str
    error: Mapping[str, Any] | None
    reply: Mapping[str, Any] | None
