"""One question about one account under the ledger, and what its reply says and proves. Writes nothing.

The review that is stored and the evaluation that only measures both ask through here, so that what is measured is
what is used.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

from entity_pipeline.core.gemini.access import STOPS_THE_RUN, Answered, GeminiAccess, NotAnswered, Prompt
from entity_pipeline.core.gemini.ledger import CallIntent, EventId, Limits, StoredReply
from entity_pipeline.core.gemini.models import is_same_model
from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.domains.entities.models import Account, Grounding
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.input_hash import SCHEMA_VERSION, config_hash, input_hash
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply, Unparseable, parse_reply
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewInputs

PIPELINE = "entity_enrichment"
STEP = "instagram_account_review"


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent for one account, and the inputs by which it is the same question as another."""

    facts: Mapping[str, Any]
    prompt: Prompt
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
class OtherModel:
    """Another model answered than the one that was asked; its answer is not used."""

    reply: StoredReply


@dataclass(frozen=True)
class Asker:
    """Asks within `limits`, read for each call, until `deadline` or `stop`. Safe for threads."""

    gemini: GeminiAccess
    limits: Callable[[], Limits]
    run_id: str
    stop: Event
    deadline: datetime

    def question(self, account: Account) -> Question:
        """The question about an account whose handle is usable."""
        facts = account_facts(account)
        prompt = prompts.review_prompt(facts, secrets.token_hex(16))
        return _question(facts, prompt, self.gemini.model, {})

    def ask(
        self, handle: str, question: Question, consumed: EventId | None
    ) -> Understood | NotUnderstood | OtherModel | NotAnswered:
        """Ask once, and once more without search if the reply can't be read but may still hold a review.

        `consumed` is the paid reply that the account already holds; any later one is replayed.

        Raises:
            ModelUnavailable: no request will work.
            DatabaseUnavailable: the ledger is away for longer than we wait.
        """
        answer = self._send("review", handle, question, consumed)
        if isinstance(answer, NotAnswered):
            return answer
        version = answer.reply.model_version
        if version is not None and not is_same_model(self.gemini.model, version):
            return OtherModel(answer.reply)
        reply = read_body(answer.reply.body)
        parsed = parse_reply(reply, handle=handle, bio=question.facts.get("bio"))
        if isinstance(parsed, Unparseable) and parsed.worth_repair:
            repaired = self._repair(handle, question.facts, answer.reply.event_id, reply.text)
            if isinstance(repaired, NotAnswered) and repaired.reason in STOPS_THE_RUN:
                return repaired
            if isinstance(repaired, ParsedReply):
                parsed = repaired
        if isinstance(parsed, Unparseable):
            return NotUnderstood(answer.reply, parsed, answer.replayed)
        names = (parsed.review.name_en, parsed.review.name_ko)
        grounding = assess_grounding(reply, handle=handle, names=names)
        return Understood(answer.reply, parsed, grounding, answer.replayed)

    def _send(
        self, kind: str, handle: str, question: Question, consumed: EventId | None
    ) -> Answered | NotAnswered:
        intent = CallIntent(
            pipeline=PIPELINE,
            step=STEP,
            kind=kind,
            subject=handle,
            model=self.gemini.model,
            grounded=kind == "review",
            input_hash=question.inputs.input_hash,
            config_hash=question.config_hash,
            max_cost_usd=self.gemini.max_cost_usd(question.prompt),
            consumed_event_id=consumed,
        )
        return self.gemini.ask(
            intent, question.prompt, self.limits(), run_id=self.run_id, stop=self.stop, deadline=self.deadline
        )

    def _repair(
        self, handle: str, facts: Mapping[str, Any], event_id: EventId, text: str
    ) -> ParsedReply | Unparseable | NotAnswered:
        prompt = prompts.repair_prompt(facts, text, secrets.token_hex(16))
        # Bound to the reply that it repairs: after a crash it is found again, and for no other reply.
        question = _question(facts, prompt, self.gemini.model, {"mends": str(event_id)})
        repaired = self._send("repair", handle, question, None)
        if isinstance(repaired, NotAnswered):
            return repaired
        return parse_reply(read_body(repaired.reply.body), handle=handle, bio=facts.get("bio"))


def review_config_hash(model: str) -> str:
    """The hash of what all reviews have in common now; `CallIntent.config_hash` of each."""
    return _question({}, prompts.template(prompts.REVIEW), model, {}).config_hash


def account_facts(account: Account) -> dict[str, Any]:
    """What is sent to the model about an account: public profile fields and how often it is tagged."""
    tagging = account.enrichment.get("tagging")
    return {
        "username": account.handle,
        "display_name": account.display_name,
        "bio": account.bio,
        "tagged_in_posts": tagging.get("posts") if isinstance(tagging, Mapping) else None,
    }


def _question(
    facts: Mapping[str, Any], rendered: prompts.Prompt, model: str, bound_to: Mapping[str, str]
) -> Question:
    prompt = Prompt(rendered.system, rendered.text)
    config = {
        "max_output_tokens": prompt.max_output_tokens,
        "thinking_budget": prompt.thinking_budget,
        "temperature": prompt.temperature,
        **bound_to,
    }
    hashed = input_hash(facts, rendered.version, SCHEMA_VERSION, model, config)
    return Question(
        facts=facts,
        prompt=prompt,
        inputs=ReviewInputs(model, rendered.version, SCHEMA_VERSION, hashed),
        config_hash=config_hash(rendered.version, SCHEMA_VERSION, model, config),
    )
