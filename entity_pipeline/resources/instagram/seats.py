"""Values the governor hands out: a seat (an account and a route), a slot (one counted request), or a wait."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from entity_pipeline.core.reasons import Reason

DIRECT = "direct"
UNSEATED = "unseated"  # account and route of requests that need no seat, in the log


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a request is for: the domain that asks, the operation, and its target."""

    domain: str
    operation: str
    target: str


@dataclass(frozen=True, slots=True)
class Seat:
    """The right to ask Instagram as one account by one route, or anonymously (`account` is None).

    `fence` and `owner` prove the lease of an account; they prove nothing once another process has leased it.
    The secrets are encrypted texts.
    """

    account: str | None = None
    route: str = DIRECT
    fence: int = 0
    owner: str = ""
    session_secret: str | None = None
    proxy_secret: str | None = None

    @property
    def key(self) -> str:
        """The key under which this seat's requests are counted."""
        return f"anonymous:{self.route}" if self.account is None else f"session:{self.account}"

    @property
    def source(self) -> str:
        """The seat's name for people, without secrets."""
        return self.key if self.account is None else f"{self.key}@{self.route}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One request, already counted at `at`; it may be sent now."""

    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing may be sent yet. `next_at` and `now` are on the database's clock."""

    next_at: datetime
    now: datetime
    reason: Reason

    @property
    def wait_s(self) -> float:
        """Seconds from `now` to `next_at`."""
        return (self.next_at - self.now).total_seconds()


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The lease ended before the request: it expired, or a person changed the account."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A seat with its first request already counted."""

    seat: Seat
    slot: Slot
