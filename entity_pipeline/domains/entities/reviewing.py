"""The review of one account: read it, ask once, understand the answer, write it down.

The paid reply is in the ledger before anything here looks at it, so a crash at any line costs no second call:
the next run finds the reply there and goes on from it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any
from uuid import UUID

from entity_pipeline.core.gemini import STOPS_THE_RUN, Answered, GeminiAccess, NotAnswered, Prompt, Unanswered
from entity_pipeline.core.gemini_models import is_same_model
from entity_pipeline.core.ledger import CallIntent, Limits
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import PipelineSettings
from entity_pipeline.domains.entities import prompts
from entity_pipeline.domains.entities.logic.confidence import calibrate
from entity_pipeline.domains.entities.logic.grounding import assess_grounding, search_entry_point
from entity_pipeline.domains.entities.logic.input_hash import SCHEMA_VERSION, config_hash, input_hash
from entity_pipeline.domains.entities.logic.reply import ParsedReply, Unparseable, parse_reply
from entity_pipeline.domains.entities.logic.reply_body import reply_text
from entity_pipeline.domains.entities.logic.review_record import (
    ReviewInputs,
    attempts,
    consumed_event_id,
    deferred_record,
    failed_record,
    is_pending,
    is_stale,
    reviewed_record,
)
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.queries.enrichment import write_stage

PIPELINE = "entity_enrichment"
STEP = "instagram_account_review"
STAGE = "gemini_review"
IN_FLIGHT = "in_flight"

# Names what became of one account in counts and reports.
Outcome = str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing more can be asked in this run; the account is left as it was."""

    reason: Unanswered
    detail: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """One account is finished with for this run; `paid` counts requests that left."""

    outcome: Outcome
    unavailable: bool = False
    model_version: str | None = None


@dataclass(frozen=True)
class Reviewer:
    """Reviews accounts of one run. Safe for threads; `refresh` is none, stale or all."""

    operation_db: Database
    gemini: GeminiAccess
    settings: PipelineSettings
    run_id: str
    refresh: str
    stop: Event
    deadline: datetime

    @property
    def limits(self) -> Limits:
        """What the settings allow the ledger to let out."""
        return limits_of(self.settings)

    def review(self, account_id: UUID) -> Done | Stopped:
        """Bring one account's review up to date.

        Raises:
            ModelUnavailable: no request will work.
            DatabaseUnavailable: a database is away for longer than we wait.
        """
        account = patiently(lambda: self._load(account_id), sleep=self.stop.wait)
        if account is None:
            return Done("gone")
        if account.handle is None:
            return self._give_up(account)
        question = self._question(account)
        previous = _section(account.enrichment, STAGE)
        if not self._wanted(previous, question.inputs):
            return Done("unchanged")
        answer = self._ask("review", account.handle, question, consumed_event_id(previous))
        if isinstance(answer, NotAnswered):
            return self._not_answered(account_id, previous, question.inputs, answer)
        version = answer.reply.model_version
        if version is not None and not is_same_model(self.gemini.model, version):
            return self._refuse_other_model(account, previous, question.inputs, answer)
        parsed = parse_reply(answer.reply.body, handle=account.handle)
        if isinstance(parsed, Unparseable) and parsed.worth_repair:
            repaired = self._repair(account.handle, question.facts, answer)
            if isinstance(repaired, NotAnswered) and repaired.reason in STOPS_THE_RUN:
                return Stopped(repaired.reason, repaired.detail, repaired.retry_at)
            if isinstance(repaired, ParsedReply):
                parsed = repaired
        return self._keep(account, previous, question.inputs, answer, parsed)

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def wants(self, account_id: UUID) -> bool:
        """Whether `review` would ask for this account, or use a reply that is already paid for."""
        account = self._load(account_id)
        if account is None or account.handle is None:
            return False
        return self._wanted(_section(account.enrichment, STAGE), self._question(account).inputs)

    def _question(self, account: Account) -> "_Question":
        facts = account_facts(account)
        prompt = prompts.review_prompt(facts, secrets.token_hex(16))
        return _question(facts, prompt, self.gemini.model, {})

    def _wanted(self, previous: Mapping[str, Any] | None, inputs: ReviewInputs) -> bool:
        """The row may have changed since the run chose it: another run can have reviewed it meanwhile."""
        if is_pending(previous, datetime.now(UTC)):
            return True
        reviewed_here = previous is not None and previous.get("run_id") == self.run_id
        if self.refresh == "all":
            return not reviewed_here
        return self.refresh == "stale" and is_stale(previous, inputs)

    def _ask(
        self, kind: str, handle: str, question: "_Question", consumed: UUID | None
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
            intent, question.prompt, self.limits, run_id=self.run_id, stop=self.stop, deadline=self.deadline
        )

    def _repair(
        self, handle: str, facts: Mapping[str, Any], answer: Answered
    ) -> ParsedReply | Unparseable | NotAnswered:
        prompt = prompts.repair_prompt(facts, reply_text(answer.reply.body), secrets.token_hex(16))
        # Bound to the reply it mends: after a crash it is found again, and for no other reply.
        question = _question(facts, prompt, self.gemini.model, {"mends": str(answer.reply.event_id)})
        repaired = self._ask("repair", handle, question, None)
        if isinstance(repaired, NotAnswered):
            return repaired
        return parse_reply(repaired.reply.body, handle=handle)

    def _give_up(self, account: Account) -> Done:
        version = prompts.template(prompts.REVIEW).version
        record = failed_record(
            ReviewInputs(self.gemini.model, version, SCHEMA_VERSION, ""),
            previous=None,
            reason="invalid_username",
            detail="The stored username can't be an Instagram handle: correct it in the catalog screens.",
        )
        return self._write(account.id, record, "failed:invalid_username")

    def _keep(
        self,
        account: Account,
        previous: Mapping[str, Any] | None,
        inputs: ReviewInputs,
        answer: Answered,
        parsed: ParsedReply | Unparseable,
    ) -> Done | Stopped:
        reply, handle = answer.reply, account.handle or ""
        version = reply.model_version
        inputs = ReviewInputs(inputs.model, inputs.prompt_version, inputs.schema_version, reply.input_hash)
        if isinstance(parsed, Unparseable):
            record = failed_record(
                inputs,
                previous=previous,
                reason=parsed.reason.value,
                detail=parsed.detail,
                usage_event_id=reply.event_id,
                model_version=version,
            )
            return self._write(account.id, record, f"failed:{parsed.reason.value}", version)
        review = parsed.review
        grounding = assess_grounding(reply.body, handle=handle, names=[review.name_en, review.name_ko])
        record = reviewed_record(
            review,
            calibrate(review, grounding, self.settings),
            grounding,
            inputs,
            previous=previous,
            reviewed_at=datetime.now(UTC),
            model_version=version,
            usage_event_id=reply.event_id,
            notes=parsed.notes,
            search_entry_point=search_entry_point(reply.body),
        )
        outcome = "reviewed" if grounding.grounded else "reviewed:ungrounded"
        return self._write(account.id, record, outcome + (":replayed" if answer.replayed else ""), version)

    def _refuse_other_model(
        self, account: Account, previous: Mapping[str, Any] | None, inputs: ReviewInputs, answer: Answered
    ) -> Done:
        """Thresholds and prompt were made for the configured model: another one's word never gets further."""
        version = answer.reply.model_version
        record = failed_record(
            inputs,
            previous=previous,
            reason="other_model",
            detail=(
                f"Gemini answered with {version} in place of {self.gemini.model}: set GEMINI_MODEL to the model "
                "that is meant, then run `entity-pipeline enrich --refresh stale`."
            ),
            usage_event_id=answer.reply.event_id,
            model_version=version,
        )
        return self._write(account.id, record, "failed:other_model", version)

    def _not_answered(
        self, account_id: UUID, previous: Mapping[str, Any] | None, inputs: ReviewInputs, answer: NotAnswered
    ) -> Done | Stopped:
        if answer.reason in STOPS_THE_RUN:
            return Stopped(answer.reason, answer.detail, answer.retry_at)
        if answer.reason is Unanswered.IN_FLIGHT:
            return Done(IN_FLIGHT)
        if answer.reason is Unanswered.REFUSED:
            record = failed_record(inputs, previous=previous, reason="refused", detail=answer.detail)
            return self._write(account_id, record, "failed:refused")
        record = deferred_record(
            previous=previous,
            reason=answer.reason.value,
            detail=answer.detail,
            next_attempt_at=answer.retry_at or _later(previous),
            counts=answer.reason is not Unanswered.UNREACHABLE,
        )
        self._write(account_id, record, "")
        return Done(f"deferred:{answer.reason.value}", unavailable=True)

    def _write(
        self, account_id: UUID, record: Mapping[str, Any], outcome: Outcome, model_version: str | None = None
    ) -> Done:
        def write() -> bool:
            with self.operation_db.connection() as connection:
                return write_stage(connection, account_id, STAGE, {**record, "run_id": self.run_id})

        written = patiently(write)
        return Done(outcome if written else "metadata_unusable", model_version=model_version)


def limits_of(settings: PipelineSettings) -> Limits:
    """The part of the settings that the ledger enforces."""
    return Limits(
        daily_grounding_cap=settings.daily_grounding_cap,
        requests_per_minute=settings.requests_per_minute,
        daily_spend_usd=Decimal(str(settings.daily_spend_usd)),
    )


def account_facts(account: Account) -> dict[str, Any]:
    """What the model is told of an account: public profile fields and how often it is tagged."""
    tagging = _section(account.enrichment, "tagging") or {}
    return {
        "username": account.handle,
        "display_name": account.display_name,
        "bio": account.bio,
        "tagged_in_posts": tagging.get("posts"),
    }


def answered_by_other_model(asked: str, done: Done) -> bool:
    """The reply names a model other than the one asked for: another price and another quota."""
    return done.model_version is not None and not is_same_model(asked, done.model_version)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is sent for one account, and what makes it the same question as another."""

    facts: Mapping[str, Any]
    prompt: Prompt
    inputs: ReviewInputs
    config_hash: str


def _question(
    facts: Mapping[str, Any], rendered: prompts.Prompt, model: str, bound_to: Mapping[str, str]
) -> _Question:
    prompt = Prompt(rendered.system, rendered.text)
    config = {
        "max_output_tokens": prompt.max_output_tokens,
        "thinking_budget": prompt.thinking_budget,
        "temperature": prompt.temperature,
        **bound_to,
    }
    hashed = input_hash(facts, rendered.version, SCHEMA_VERSION, model, config)
    return _Question(
        facts=facts,
        prompt=prompt,
        inputs=ReviewInputs(model, rendered.version, SCHEMA_VERSION, hashed),
        config_hash=config_hash(rendered.version, SCHEMA_VERSION, model, config),
    )


def _section(enrichment: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = enrichment.get(key)
    return value if isinstance(value, Mapping) else None


def _later(previous: Mapping[str, Any] | None) -> datetime:
    """15 minutes after a first failure, then an hour, then four."""
    return datetime.now(UTC) + timedelta(minutes=15 * 4 ** min(attempts(previous), 2))
