"""A batch of requests at half price: its vocabulary, its name, and which requests it may hold.

A batch is a row of `gemini_batches` that goes reserved -> creating -> submitted -> ended; each of its requests is a row
of the ledger, as a single request is. A name is given to one batch only, and Gemini is asked at most once to create a
batch of that name. What Gemini says of a batch is read in `core/gemini/batch_answers.py`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import uuid4

from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.ledger import Admission, Admitted, LedgerView, admit
from entity_pipeline.core.gemini.models import GeminiModel
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply

LEASE = timedelta(minutes=20)  # for building, uploading and creating; then an unsent batch is given back
CREATE_LIMIT_S = 120
# A creation that no answer confirmed is looked for by its name, and given up after two full lists without it.
GRACE = timedelta(minutes=10)
BETWEEN_LISTS = timedelta(minutes=1)
OVERDUE = timedelta(hours=26)  # worth a warning; the caller may cancel
LIFE = timedelta(hours=48)  # Gemini expires what is older
GIVEN_UP = timedelta(hours=72)  # Gemini did not even expire it
LOOK_AGAIN = timedelta(minutes=15)
MOST_INPUT_BYTES = 2_000_000_000
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=6)


class BatchState(StrEnum):
    """How far a batch is with us."""

    RESERVED = "reserved"  # nothing was sent but its file
    CREATING = "creating"  # Gemini was asked to create it, and may have
    SUBMITTED = "submitted"  # Gemini knows it, and we its name there
    ENDED = "ended"  # every request has its outcome


class BatchOutcome(StrEnum):
    """How a batch ended."""

    COLLECTED = "collected"  # answers were fetched, or there were none to fetch
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    GONE = "gone"  # Gemini knows neither the batch nor its results any more
    GIVEN_UP = "given_up"
    ABSENT = "absent"  # its creation was not confirmed, and it is in no list
    REFUSED = "refused"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class BatchTicket:
    """The fate of each call that was submitted, by subject.

    `name` finds the batch from now on, in any process; None where every call was answered before. `subjects` are those
    in the batch; `replayed` were paid for earlier; `left_out` were not sent, each for its reason.
    """

    name: str | None
    subjects: frozenset[str]
    replayed: Mapping[str, Answered] = field(default_factory=dict)
    left_out: Mapping[str, NotAnswered] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchWaits:
    """It has no result yet. `said` is Gemini's state or what went wrong at this look; look again at `retry_at`."""

    name: str
    state: BatchState
    said: str
    since: datetime
    is_overdue: bool
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class DeletedInputs:
    """How many uploaded files were deleted at Google, and the open batches whose file stays."""

    files: int
    under_way: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """Every request has its outcome in the ledger; `requests` are counted by the ledger's states."""

    name: str
    outcome: BatchOutcome
    requests: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger holds about one subject: an open request, or a paid reply to the same question."""

    claimed_until: datetime | None = None
    replay: StoredReply | None = None


def content_hash(calls: Sequence[Call]) -> str:
    """A hash of what the batch is about, whatever the order: its step and model, subjects, inputs and questions.

    Raises:
        ValueError: the calls can't form one batch.
    """
    if not calls:
        raise ValueError("a batch has at least one request")
    if len({(call.claim.step, call.request.model) for call in calls}) > 1:
        raise ValueError("the requests of a batch are of one step and to one model")
    if len({call.claim.subject for call in calls}) < len(calls):
        raise ValueError("a batch asks once about a subject")
    if any(call.request.grounded for call in calls):
        raise ValueError("a batch asks without Google Search, whose price in batches is not known")
    if (size := sum(map(_most_bytes, calls))) > MOST_INPUT_BYTES:
        raise ValueError(
            f"the batch takes {size:,} bytes, which is more than the {MOST_INPUT_BYTES:,} of a file"
        )
    about = sorted(
        [str(call.claim.kind), call.claim.subject, call.input_hash, call.config_hash] for call in calls
    )
    step, model = calls[0].claim.step, calls[0].request.model
    return hashlib.sha256(json.dumps([step.pipeline, step.name, model, about]).encode()).hexdigest()


def new_name(calls: Sequence[Call], content: str) -> str:
    """The display name of a new batch.

    It begins with what the batch is about. The rest keeps apart another installation, and a later batch about the same.
    """
    return f"{calls[0].claim.step.domain.replace('_', '-')}-{content[:16]}-{uuid4().hex[:12]}"


def admit_batch(
    view: LedgerView, calls: Sequence[Call], asked: GeminiModel, standings: Mapping[str, Standing]
) -> Mapping[str, Admission]:
    """The decision on each call by subject: each holds its upper bound at batch price before the next is judged.

    The whole batch counts as one request of the minute.
    """
    decisions: dict[str, Admission] = {}
    held = Decimal(0)
    for call in calls:
        standing = standings.get(call.claim.subject, Standing())
        now = replace(
            view,
            spent_usd=view.spent_usd + held,
            month_spent_usd=None if view.month_spent_usd is None else view.month_spent_usd + held,
            domain_spent_usd=view.domain_spent_usd + held,
            # Refusals of single requests do not concern batches, which have quotas of their own.
            blocked_until=None,
            claimed_until=standing.claimed_until,
            replay=standing.replay,
        )
        decision = admit(now, call, asked, in_batch=True)
        decisions[call.claim.subject] = decision
        if isinstance(decision, Admitted):
            held += decision.cost_usd
    return decisions


def submission_opens_at(refusals: int, last: datetime | None) -> datetime | None:
    """When a batch may be created again after so many refusals for quota in a row, the last one then."""
    if not refusals or last is None:
        return None
    doubled: int = 2 ** min(refusals - 1, 10)
    return last + min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


def _most_bytes(call: Call) -> int:
    """Of a line of the file: text may double by escapes, pictures are in base64."""
    request = call.request
    pictures = sum(-(-picture.size // 3) * 4 + 100 for picture in request.pictures)
    return 2 * len((request.system + request.text).encode(errors="replace")) + pictures + 10_000
