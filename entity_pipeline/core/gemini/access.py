"""`GeminiAccess`: what the domains ask of Gemini. Implemented by `resources/gemini`; the rules are in this package.

Dagster loads this module with every code location: types that only annotate are not imported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from threading import Event
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from entity_pipeline.core.gemini.batch import BatchEnded, BatchTicket, BatchWaits, DeletedInputs
    from entity_pipeline.core.gemini.call import Call, Step
    from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered
    from entity_pipeline.core.gemini.quota import QuotaStatus
    from entity_pipeline.core.gemini.usage import SpendDay


@dataclass(frozen=True, slots=True)
class RecentReplies:
    """Grounded requests that were answered, those answered without a search, and other models that answered."""

    grounded: int
    without_search: int
    other_models: Sequence[str]


class GeminiAccess(Protocol):
    """Metered access to Gemini. How much may be asked is in the row `gemini`, which the ledger reads itself."""

    @property
    def model(self) -> str:
        """The configured model's name."""

    def ask(self, call: "Call", *, run_id: str, stop: Event, deadline: datetime) -> "Answered | NotAnswered":
        """Ask one question within the ledger's limits; wait for the rate limit until `deadline` or `stop`.

        Raises:
            ModelUnavailable: Gemini refuses the model or the key; nothing else will work either.
            DatabaseUnavailable: the ledger can't be reached, so nothing was sent.
        """

    def sweep(self) -> int:
        """Close what dead processes left open in the ledger; returns the number of rows."""

    def quota(self, step: "Step | None" = None) -> "QuotaStatus":
        """Today's figures of the ledger for the configured model; with a step, its domain's share among them."""

    def roll_up_spend(self, since: date) -> int:
        """Bring `gemini_spend_daily` up to date from a quota day on; returns the number of rows that changed."""

    def spend(self, since: date) -> "Sequence[SpendDay]":
        """The kept roll-up from a quota day on, newest first."""

    def spend_of_day(self, day: date) -> "Sequence[SpendDay]":
        """One quota day straight from the ledger, requests under way included."""

    def recent_replies(self, since: datetime) -> RecentReplies:
        """How the configured model answered the grounded requests of all domains since then."""


class GeminiBatches(Protocol):
    """Many questions at half the price, answered within two days; the limits are those of single requests."""

    def submit(self, calls: "Sequence[Call]", *, run_id: str) -> "BatchTicket | NotAnswered":
        """Send one batch of calls of one step, each about another subject.

        A call with a paid reply is replayed, one that a limit or a claim forbids is left out. Submitting the same calls
        again while their batch is open returns that batch: nothing is sent twice, also after a crash.

        Raises:
            ModelUnavailable: Gemini refuses the model or the key; nothing else will work either.
            DatabaseUnavailable: the ledger can't be reached.
            ValueError: the calls can't form a batch, or a picture has changed since its request was made.
        """

    def collect(self, name: str) -> "BatchWaits | BatchEnded":
        """Look at a batch once, never waiting, and settle its requests when Gemini has ended it. Safe to repeat.

        A batch that is overdue goes on until it is cancelled or expires. Its unanswered requests may be asked again
        only once it has ended here.

        Raises:
            ModelUnavailable, DatabaseUnavailable: as `submit`.
            ValueError: there is no batch of this name.
        """

    def cancel(self, name: str) -> None:
        """Ask Gemini to cancel a batch; go on collecting until it has ended."""

    def answers(self, name: str) -> "Iterator[tuple[str, Answered | NotAnswered]]":
        """The outcome of each request of a batch with its subject, as the ledger has it."""

    def delete_inputs(self, step: "Step", subjects: "Sequence[str]") -> "DeletedInputs":
        """Delete what was uploaded about these subjects, as far as Google still has it and the batch has ended.

        A file has the requests of a whole batch, so that of an open one stays. Results can't be deleted; Google
        removes them after a time of its own.

        Raises:
            ConfigurationFailure: Gemini refuses the key, or there is none.
            TransientFailure: Gemini can't be reached, or did not take all of it.
            DatabaseUnavailable: the ledger can't be reached.
        """

    def open_batches(self, step: "Step") -> "Sequence[str]":
        """The names of the batches of a step that have not ended here, oldest first: what there is to collect."""


def stand_in_host(base_url: str | None) -> str | None:
    """The host that answers in place of Google under this base URL; None when Google does."""
    host = urlsplit(base_url or "").netloc.rpartition("@")[2]
    name = urlsplit(f"//{host}").hostname or ""
    return None if not host or name == "googleapis.com" or name.endswith(".googleapis.com") else host
