"""The review of one account: read it, ask once, understand the answer, write it down.

The paid reply is in the ledger before anything here looks at it, so a crash at any line costs no second call:
the next run finds the reply there and goes on from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

from entity_pipeline.core.gemini.access import STOPS_THE_RUN, GeminiAccess, NotAnswered, Unanswered
from entity_pipeline.core.gemini.ledger import Limits, StoredReply
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import write_stage
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.reviews.logic.grounding import search_entry_point
from entity_pipeline.domains.entities.reviews.logic.input_hash import SCHEMA_VERSION
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewInputs,
    attempts,
    consumed_event_id,
    deferred_record,
    failed_record,
    is_pending,
    is_stale,
    reviewed_record,
)
from entity_pipeline.domains.entities.reviews.logic.reply import Unparseable
from entity_pipeline.domains.entities.reviews.question import Asker, OtherModel, Question, Understood, assess
from entity_pipeline.domains.entities.settings import EntitySettings

STAGE = "gemini_review"
IN_FLIGHT = "in_flight"
OTHER_MODEL = "failed:other_model"

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
    settings: EntitySettings
    limits: Callable[[], Limits]
    run_id: str
    refresh: str
    stop: Event
    deadline: datetime

    @property
    def asker(self) -> Asker:
        """Asks within those limits."""
        return Asker(self.gemini, self.limits, self.run_id, self.stop, self.deadline)

    def under(self, settings: EntitySettings) -> "Reviewer":
        """The same under settings that were changed since."""
        return replace(self, settings=settings)

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
        answer = self.asker.ask(account.handle, question, consumed_event_id(previous))
        if isinstance(answer, NotAnswered):
            return self._not_answered(account_id, previous, question.inputs, answer)
        if isinstance(answer, OtherModel):
            return self._refuse_other_model(account, previous, question.inputs, answer.reply)
        return self._keep(account, previous, question.inputs, answer)

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def wants(self, account_id: UUID) -> bool:
        """Whether `review` would ask for this account, or use a reply that is already paid for."""
        account = self._load(account_id)
        if account is None or account.handle is None:
            return False
        return self._wanted(_section(account.enrichment, STAGE), self._question(account).inputs)

    def _question(self, account: Account) -> Question:
        return self.asker.question(account)

    def _wanted(self, previous: Mapping[str, Any] | None, inputs: ReviewInputs) -> bool:
        """The row may have changed since the run chose it: another run can have reviewed it meanwhile."""
        if is_pending(previous, datetime.now(UTC)):
            return True
        reviewed_here = previous is not None and previous.get("run_id") == self.run_id
        if self.refresh == "all":
            return not reviewed_here
        return self.refresh == "stale" and is_stale(previous, inputs)

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
        answer: Understood,
    ) -> Done | Stopped:
        reply, parsed = answer.reply, answer.parsed
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
        scores, grounding = assess(parsed.review, reply, account.handle or "", self.settings)
        record = reviewed_record(
            parsed.review,
            scores,
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
        self, account: Account, previous: Mapping[str, Any] | None, inputs: ReviewInputs, reply: StoredReply
    ) -> Done:
        """Thresholds and prompt were made for the configured model: another one's word never gets further."""
        version = reply.model_version
        record = failed_record(
            inputs,
            previous=previous,
            reason="other_model",
            detail=(
                f"Gemini answered with {version} in place of {self.gemini.model}: set GEMINI_MODEL to the model "
                "that is meant, then run `entity-pipeline enrich --refresh stale`."
            ),
            usage_event_id=reply.event_id,
            model_version=version,
        )
        return self._write(account.id, record, OTHER_MODEL, version)

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


def _section(enrichment: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = enrichment.get(key)
    return value if isinstance(value, Mapping) else None


def _later(previous: Mapping[str, Any] | None) -> datetime:
    """15 minutes after a first failure, then an hour, then four."""
    return datetime.now(UTC) + timedelta(minutes=15 * 4 ** min(attempts(previous), 2))
