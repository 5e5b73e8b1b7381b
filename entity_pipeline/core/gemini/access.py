"""What the domains ask of Gemini: one metered question, answered, replayed or put off. See `core/gemini/ledger.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from threading import Event
from typing import Protocol
from urllib.parse import urlsplit

from entity_pipeline.core.gemini.ledger import CallIntent, Limits, QuotaStatus, StoredReply
from entity_pipeline.core.gemini.usage import SpendDay


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent. `max_output_tokens` includes thinking, which is what `thinking_budget` bounds."""

    system: str
    text: str
    max_output_tokens: int = 2_048
    thinking_budget: int = 512
    temperature: float = 0.0


class Unanswered(StrEnum):
    """Why there is no reply. The first four concern every account, the others only this one."""

    CAP_REACHED = "cap_reached"
    SPEND_REACHED = "spend_reached"
    BLOCKED_BY_GOOGLE = "blocked_by_google"
    STOPPED = "stopped"
    IN_FLIGHT = "in_flight"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    NO_REPLY = "no_reply"
    REFUSED = "refused"


STOPS_THE_RUN = frozenset(
    {Unanswered.CAP_REACHED, Unanswered.SPEND_REACHED, Unanswered.BLOCKED_BY_GOOGLE, Unanswered.STOPPED}
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply that is in the ledger; `replayed` when it had been paid for before."""

    reply: StoredReply
    replayed: bool


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """No reply; `retry_at` (UTC) when trying sooner is useless, `detail` a sentence."""

    reason: Unanswered
    detail: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecentReplies:
    """Grounded requests that were answered, those answered without a search, and models nobody asked for."""

    grounded: int
    without_search: int
    other_models: Sequence[str]


class GeminiAccess(Protocol):
    """Metered access to one configured model; implemented by `resources/gemini`."""

    @property
    def model(self) -> str:
        """The configured model's name."""

    def ask(
        self,
        intent: CallIntent,
        prompt: Prompt,
        limits: Limits,
        *,
        run_id: str,
        stop: Event,
        deadline: datetime,
    ) -> Answered | NotAnswered:
        """One question under the ledger, waiting for the rate limit until `deadline` or `stop`.

        Raises:
            ModelUnavailable: Gemini refuses the model or the key; nothing else will work either.
            DatabaseUnavailable: the ledger can't be reached, so nothing was sent.
        """

    def max_cost_usd(self, prompt: Prompt) -> Decimal:
        """The most the tokens of one call with this prompt can cost, in USD."""

    def sweep(self) -> int:
        """Close what dead processes left open in the ledger; returns the number of rows."""

    def quota(self, limits: Limits) -> QuotaStatus:
        """Today's figures of the ledger."""

    def roll_up_spend(self, since: date) -> int:
        """Bring `gemini_spend_daily` up to date from a quota day on; returns the number of rows that changed."""

    def spend(self, since: date) -> Sequence[SpendDay]:
        """The kept roll-up from a quota day on, newest first."""

    def spend_of_day(self, day: date) -> Sequence[SpendDay]:
        """One quota day straight from the ledger, requests under way included."""

    def recent_replies(self, since: datetime) -> RecentReplies:
        """What the configured model's answers since then were like."""


def stand_in_host(base_url: str | None) -> str | None:
    """The host that answers in place of Google under this base URL; None when Google does."""
    host = urlsplit(base_url or "").netloc.rpartition("@")[2]
    name = urlsplit(f"//{host}").hostname or ""
    return None if not host or name == "googleapis.com" or name.endswith(".googleapis.com") else host
