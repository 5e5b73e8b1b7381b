"""The review of one account: load it, ask once, record the review or why there is none.

The paid reply is in the ledger before this code sees it, so a crash at any line costs no second call: the next run
finds the reply there and continues with it. Reading a reply does not belong here: see `question`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Event
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.outcomes import STOPS_THE_RUN, NotAnswered, Unanswered
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.logic.standing import is_due, review_waits
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import write_stage
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.reviews.logic.input_hash import SCHEMA_VERSION
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewError,
    ReviewRecord,
    ReviewStatus,
    attempts,
    consumed_event_id,
    deferred_record,
    failed_record,
    reviewed_record,
)
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewCall, ReviewInputs
from entity_pipeline.domains.entities.reviews.question import (
    Asker,
    NotUnderstood,
    Understood,
)
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.captions import captions_of
from entity_pipeline.shared.database.refusals import is_refusal, said_by
from entity_pipeline.shared.runs.workers import Done, Elsewhere, Result, Stopped, Words

STAGE = "gemini_review"
WORDS = Words(jobs="accounts", system="Gemini", unanswered="count as used in the ledger")


class ReviewOutcome(StrEnum):
    """The results of one account in counts and reports; failures and deferrals have their reason after a colon."""

    REVIEWED = "reviewed"
    UNGROUNDED = "reviewed:ungrounded"
    UNCHANGED = "unchanged"
    GONE = "gone"
    METADATA_UNUSABLE = "metadata_unusable"
    WRITE_REFUSED = "write_refused"


@dataclass(frozen=True)
class Reviewer:
    """Reviews accounts of one run. Safe for threads.

    `refresh` is none, failed, stale or all. What was answered at `since` or later is not repeated: the refresh that
    began then has asked it already.
    """

    assets_db: Database
    operation_db: Database
    gemini: GeminiAccess
    run_id: str
    refresh: str
    stop: Event
    deadline: datetime
    since: datetime | None = None
    note: Callable[[UUID], object] = field(default=lambda _: None, repr=False)
    """Called with each account that was written, for the list."""
    refused: dict[str, str] = field(default_factory=dict)
    """The database's message for each account to which it refused the write. A paid reply stays in the ledger."""

    @property
    def asker(self) -> Asker:
        """An asker that works until the run stops."""
        return Asker(self.gemini, self.run_id, self.stop, self.deadline)

    def review(self, account_id: UUID, settings: EntitySettings) -> Result:
        """Bring one account's review up to date, under the given settings.

        Raises:
            ModelUnavailable: no request will work.
            DatabaseUnavailable: a database is unreachable for longer than the patience of the call.
        """
        account = patiently(lambda: self._load(account_id), sleep=self.stop.wait)
        if account is None:
            return Done(ReviewOutcome.GONE)
        if account.handle is None:
            return self._give_up(account)
        captions = captions_of(self.assets_db, account, self.stop.wait)
        question = self.asker.question(account, captions)
        previous = ReviewRecord.from_json(account.enrichment.get(STAGE))
        if not self._wanted(account, previous, question.inputs):
            return Done(ReviewOutcome.UNCHANGED)
        answer = self.asker.ask(account.handle, question, consumed_event_id(previous))
        if isinstance(answer, NotAnswered):
            if ended := ended_by(answer):
                return ended
            record, done = _unanswered(answer, question.inputs, previous)
        else:
            record, done = _answered(answer, question.inputs, previous, settings)
        return self._write(account, record.of_run(self.run_id).to_json(), done)

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def wants(self, account_id: UUID) -> bool:
        """Whether `review` would ask for this account, or use a reply that is already paid for."""
        account = self._load(account_id)
        if account is None or account.handle is None:
            return False
        previous = ReviewRecord.from_json(account.enrichment.get(STAGE))
        return self._wanted(account, previous, self.asker.question(account).inputs)

    def _wanted(self, account: Account, previous: ReviewRecord | None, inputs: ReviewInputs) -> bool:
        """Whether the account still needs a review: another run may have reviewed it since it was chosen."""
        stored = json_object(account.enrichment.get(STAGE))
        if review_waits(stored) and is_due(stored, datetime.now(UTC)):
            return True
        if self.refresh == "none" or (previous is not None and self._has_asked(previous)):
            return False
        if self.refresh == "all" or previous is None:
            return self.refresh == "all"
        if self.refresh == "failed":
            return previous.status is ReviewStatus.FAILED
        return bool(previous.stale_reasons(inputs))

    def _has_asked(self, previous: ReviewRecord) -> bool:
        """Whether this run, or an earlier run of the same refresh, has asked for the review."""
        asked_before = (
            self.since is not None and previous.answered_at is not None and previous.answered_at >= self.since
        )
        return asked_before or previous.run_id == self.run_id

    def _give_up(self, account: Account) -> Done:
        version = prompts.template(prompts.REVIEW).version
        inputs = ReviewInputs(self.gemini.model, version, SCHEMA_VERSION, "")
        error = ReviewError(
            "invalid_username",
            "The stored username is not a valid Instagram handle: correct it in the catalog screens.",
        )
        record = failed_record(error, ReviewCall.of(inputs), previous=None)
        done = Done("failed:invalid_username")
        return self._write(account, record.of_run(self.run_id).to_json(), done)

    def _write(self, account: Account, stored: Mapping[str, Any], done: Done) -> Done:
        def write() -> bool:
            with self.operation_db.connection() as connection:
                return write_stage(connection, account.id, STAGE, stored)

        try:
            is_written = patiently(write)
        except psycopg.Error as error:
            if not is_refusal(error):
                raise
            self.refused[account.username] = said_by(error)
            return replace(done, outcome=ReviewOutcome.WRITE_REFUSED)
        if not is_written:
            return replace(done, outcome=ReviewOutcome.METADATA_UNUSABLE)
        self.note(account.id)
        return done


def ended_by(answer: NotAnswered) -> Elsewhere | Stopped | None:
    """What a missing reply means for the run; None if it concerns only this account."""
    if answer.reason in STOPS_THE_RUN:
        # When a quota is used up, paid replies may still be repaired and written.
        is_at_once = answer.reason is Unanswered.STOPPED
        return Stopped(str(answer.detail), answer.retry_at, at_once=is_at_once)
    return Elsewhere() if answer.reason is Unanswered.IN_FLIGHT else None


def _answered(
    answer: Understood | NotUnderstood,
    inputs: ReviewInputs,
    previous: ReviewRecord | None,
    settings: EntitySettings,
) -> tuple[ReviewRecord, Done]:
    """The record of the review, or of the failure to read one."""
    # A replayed reply was made from the inputs at its own time.
    inputs = replace(inputs, input_hash=answer.reply.input_hash)
    call = ReviewCall.of(inputs, model_version=answer.reply.model_version, event_id=answer.reply.event_id)
    if isinstance(answer, NotUnderstood):
        error = ReviewError(answer.why.reason.value, answer.why.detail)
        record = failed_record(error, call, previous=previous)
        return record.answered(datetime.now(UTC)), Done(f"failed:{error.reason}")
    scores = calibrate(answer.parsed.review, answer.grounding, settings)
    record = reviewed_record(
        answer.parsed, answer.grounding, scores, call, previous=previous, at=datetime.now(UTC)
    )
    outcome = ReviewOutcome.REVIEWED if answer.grounding.grounded else ReviewOutcome.UNGROUNDED
    return record.answered(datetime.now(UTC)), Done(outcome + (":replayed" if answer.replayed else ""))


def _unanswered(
    answer: NotAnswered, inputs: ReviewInputs, previous: ReviewRecord | None
) -> tuple[ReviewRecord, Done]:
    """The record of a missing reply: a refused request is final, any other may succeed later."""
    error = ReviewError(answer.reason.value, str(answer.detail))
    if answer.reason is Unanswered.REFUSED:
        record = failed_record(error, ReviewCall.of(inputs), previous=previous)
        return record.answered(datetime.now(UTC)), Done("failed:refused")
    record = deferred_record(
        error,
        previous=previous,
        next_attempt_at=answer.retry_at or _later(previous),
        counts=answer.reason is not Unanswered.UNREACHABLE,
    )
    return record, Done(f"deferred:{error.reason}", unavailable=True)


def _later(previous: ReviewRecord | None) -> datetime:
    """The time of the next attempt: 15 minutes after a first failure, then an hour, then four."""
    return datetime.now(UTC) + timedelta(minutes=15 * 4 ** min(attempts(previous), 2))
