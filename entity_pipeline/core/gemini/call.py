"""`Call`: one request together with who makes it, about what, and which paid reply may take its place.

What is sent is the `Request`; whether the call may be made now is decided by `admit` in `core/gemini/ledger.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from entity_pipeline.core.gemini.request import Request

# The id of a request as text: the column may be a uuid, a number or text, and only the database needs to know.
EventId = str


class CallKind(StrEnum):
    """The purpose of a call. Each step has a subclass of its own with its kinds."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a domain that asks Gemini.

    `domain` is the key of the domain, by which `shares` of the row `gemini` name it; `pipeline` and `name` are the
    columns `pipeline` and `step` of the ledger.
    """

    domain: str
    pipeline: str
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The `subject` of a step, such as an account's handle, for which only one request may be open at a time."""

    step: Step
    kind: CallKind
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that wants to go out.

    `config_hash` covers prompt, schema, model and generation settings, `input_hash` the same and the input. A reply
    with the same claim and `config_hash` that was paid for later than `consumed_event_id` (the one that the caller has
    already used) is replayed in place of a request. With `only_replay` no request is made.
    """

    claim: Claim
    request: Request
    input_hash: str
    config_hash: str
    consumed_event_id: EventId | None = None
    only_replay: bool = False
