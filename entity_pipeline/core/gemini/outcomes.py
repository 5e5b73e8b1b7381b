"""What `ask` returns: a reply, or why there is none. What a reply means belongs to the domain that asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.reasons import Reason


class Unanswered(StrEnum):
    """Why no reply came. Those in `STOPS_THE_RUN` concern every call, the others only this one."""

    CLOSED = "closed"  # the row `gemini` is missing, switched off or unreadable
    MODEL_REPLACED = "model_replaced"  # a model other than the requested one answers
    CAP_REACHED = "cap_reached"
    SPEND_REACHED = "spend_reached"
    BLOCKED_BY_GOOGLE = "blocked_by_google"
    RATE_LIMITED = "rate_limited"  # until the deadline; before it, `ask` waits
    STOPPED = "stopped"
    NOT_STORED = "not_stored"  # only a paid reply was asked for, and there is none
    IN_FLIGHT = "in_flight"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    NO_REPLY = "no_reply"
    REFUSED = "refused"


STOPS_THE_RUN = frozenset(
    {
        Unanswered.CLOSED,
        Unanswered.MODEL_REPLACED,
        Unanswered.CAP_REACHED,
        Unanswered.SPEND_REACHED,
        Unanswered.BLOCKED_BY_GOOGLE,
        Unanswered.RATE_LIMITED,
        Unanswered.STOPPED,
    }
)


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A settled reply as the ledger keeps it."""

    event_id: EventId
    body: Mapping[str, Any]
    model_version: str | None
    input_hash: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply that is in the ledger; `replayed` when it had been paid for before."""

    reply: StoredReply
    replayed: bool


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """No reply; `retry_at` (UTC) when trying sooner is useless, `detail` in words."""

    reason: Unanswered
    detail: Reason
    retry_at: datetime | None = None
