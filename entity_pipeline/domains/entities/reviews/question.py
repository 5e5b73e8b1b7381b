"""One question about one account within the ledger's limits, and the review in its reply. Writes no account.

Both the stored reviews and the evaluation, which only measures, ask through this module, so that the evaluation
measures the questions that are used.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.call import Call, CallKind, Claim, EventId, Step
from entity_pipeline.core.gemini.outcomes import (
    STOPS_THE_RUN,
    Answered,
    NotAnswered,
    StoredReply,
    Unanswered,
)
from entity_pipeline.core.gemini.prompt_file import Prompt
from entity_pipeline.core.gemini.reply_body import ReplyBody, read_body
from entity_pipeline.core.gemini.request import Request, Text, Tool
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.models import Account, Grounding
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.input_hash import SCHEMA_VERSION, config_hash, input_hash
from entity_pipeline.domains.entities.reviews.logic.reply import (
    EMPTY_REPLIES,
    ParsedReply,
    Unparseable,
    parse_reply,
)
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewInputs
from entity_pipeline.domains.entities.settings import EntitySettings

STEP = Step(EntitySettings.name, EntitySettings.row, "instagram_account_review")


class ReviewKind(CallKind):
    """The kind of question about an account: its review, or the repair of a review's form without a search."""

    REVIEW = "review"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class Question:
    """The request for one account, and the inputs by which it equals another question.

    `untrusted` are the texts in it that may contain a made-up answer.
    """

    facts: Mapping[str, Any]
    untrusted: tuple[str, ...]
    request: Request
    inputs: ReviewInputs
    config_hash: str


@dataclass(frozen=True, slots=True)
class Understood:
    """A reply that holds a review. `parsed` may be from the repair call, `grounding` is always from the first."""

    reply: StoredReply
    parsed: ParsedReply
    grounding: Grounding
    replayed: bool


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A reply that holds no review."""

    reply: StoredReply
    why: Unparseable
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Read:
    """An answer to the question, with what its body says."""

    answer: Answered
    body: ReplyBody
    parsed: ParsedReply | Unparseable


@dataclass(frozen=True)
class Asker:
    """Asks until `deadline` or `stop`; with `only_replay` nothing is paid for. Safe for threads."""

    gemini: GeminiAccess
    run_id: str
    stop: Event
    deadline: datetime
    only_replay: bool = False

    def question(self, account: Account, captions: Sequence[str] = ()) -> Question:
        """The question about an account whose handle is usable; `captions` are those of posts that tag it."""
        facts = {**account_facts(account), "post_captions": captions}
        prompt = prompts.review_prompt(facts, secrets.token_hex(16))
        return _question(facts, prompt, self.gemini.model, (Tool.GOOGLE_SEARCH,))

    def ask(
        self, handle: str, question: Question, consumed: EventId | None
    ) -> Understood | NotUnderstood | NotAnswered:
        """Ask once; again if the reply is empty, and without search if it can't be read but may still hold a review.

        `consumed` is the paid reply that the account already holds; any later one is replayed.

        Raises:
            ModelUnavailable: no request will work.
            DatabaseUnavailable: the ledger is unreachable for longer than the patience of the call.
        """
        read = self._read(handle, question, consumed)
        if (
            isinstance(read, _Read)
            and isinstance(read.parsed, Unparseable)
            and read.parsed.reason in EMPTY_REPLIES
        ):
            # The empty one counts as dealt with, so what is paid for now is found again after a crash.
            read = self._read(handle, question, read.answer.reply.event_id)
        if isinstance(read, NotAnswered):
            return read
        answer, reply, parsed = read.answer, read.body, read.parsed
        if isinstance(parsed, Unparseable) and parsed.worth_repair:
            repaired = self._repair(handle, question, answer.reply.event_id, reply.text)
            # Another run that repairs the same reply finishes the account; anything else concerns this repair only.
            if isinstance(repaired, NotAnswered) and repaired.reason in (
                *STOPS_THE_RUN,
                Unanswered.IN_FLIGHT,
            ):
                return repaired
            if isinstance(repaired, ParsedReply):
                parsed = repaired
        if isinstance(parsed, Unparseable):
            return NotUnderstood(answer.reply, parsed, answer.replayed)
        names = (parsed.review.name_en, parsed.review.name_ko)
        kind = parsed.review.account_type
        grounding = assess_grounding(reply, handle=handle, names=names, account_type=kind)
        return Understood(answer.reply, parsed, grounding, answer.replayed)

    def _read(self, handle: str, question: Question, consumed: EventId | None) -> "_Read | NotAnswered":
        answer = self._send(ReviewKind.REVIEW, handle, question, consumed)
        if isinstance(answer, NotAnswered):
            return answer
        body = read_body(answer.reply.body)
        return _Read(answer, body, parse_reply(body, handle=handle, shown=question.untrusted))

    def _send(
        self, kind: ReviewKind, handle: str, question: Question, consumed: EventId | None
    ) -> Answered | NotAnswered:
        call = Call(
            claim=Claim(STEP, kind, handle),
            request=question.request,
            input_hash=question.inputs.input_hash,
            config_hash=question.config_hash,
            consumed_event_id=consumed,
            only_replay=self.only_replay,
        )
        return self.gemini.ask(call, run_id=self.run_id, stop=self.stop, deadline=self.deadline)

    def _repair(
        self, handle: str, asked: Question, event_id: EventId, text: str
    ) -> ParsedReply | Unparseable | NotAnswered:
        prompt = prompts.repair_prompt(asked.facts, text, secrets.token_hex(16))
        # Bound to the reply that it repairs: after a crash it is found again, but only for that reply.
        repair = _question(asked.facts, prompt, self.gemini.model, (), {"mends": str(event_id)})
        repaired = self._send(ReviewKind.REPAIR, handle, repair, None)
        if isinstance(repaired, NotAnswered):
            return repaired
        return parse_reply(read_body(repaired.reply.body), handle=handle, shown=asked.untrusted)


def review_config_hash(model: str) -> str:
    """The hash of the inputs that all current reviews share; the `Call.config_hash` of each."""
    return _question({}, prompts.template(prompts.REVIEW), model, (Tool.GOOGLE_SEARCH,)).config_hash


def account_facts(account: Account) -> dict[str, Any]:
    """What is sent to the model about an account: public profile fields and how often it is tagged."""
    tagging = json_object(account.enrichment.get("tagging"))
    return {
        "username": account.handle,
        "display_name": account.display_name,
        "bio": account.bio,
        **{key: account.profile_facts.get(key) for key in ("external_urls", "is_verified", "follower_count")},
        "tagged_in_posts": tagging.get("posts"),
        "known": _known(account),
    }


def _known(account: Account) -> str:
    """What people have written of an account. Once a review was written there, nothing tells theirs from ours."""
    if "catalog_link" in account.enrichment:
        return ""
    columns = ("name_en", "name_ko", "account_type", "entity_ig_role", "entity_region_code")
    written = {column: getattr(account, column) for column in columns}
    written |= {f"entity's {column}": value for column, value in account.linked_entity.items()}
    return "; ".join(f"{column}: {value}" for column, value in written.items() if value)


def _question(
    facts: Mapping[str, Any],
    prompt: Prompt,
    model: str,
    tools: tuple[Tool, ...],
    bound_to: Mapping[str, str] | None = None,
) -> Question:
    request = Request(model=model, system=prompt.system, parts=(Text(prompt.text),), tools=tools)
    config = {**request.generation.stated(), **(bound_to or {})}
    hashed = input_hash(facts, prompt.version, SCHEMA_VERSION, model, config)
    return Question(
        facts=facts,
        untrusted=(facts.get("bio") or "", *facts.get("post_captions", ())),
        request=request,
        inputs=ReviewInputs(model, prompt.version, SCHEMA_VERSION, hashed),
        config_hash=config_hash(prompt.version, SCHEMA_VERSION, model, config),
    )
