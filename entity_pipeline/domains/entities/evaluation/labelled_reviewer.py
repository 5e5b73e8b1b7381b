"""Reviews of labelled accounts that are measured but not stored: no account and no catalog row is written.

They go through the ledger under the pipeline's own name and step, so either replays the replies that the other has
paid for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from uuid import UUID

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.outcomes import NotAnswered, Unanswered
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Open, S, SettingsAccess, SettingsModel, SettingsRow
from entity_pipeline.domains.entities.evaluation.logic.judging import NOT_COVERED, LabelledAnswer
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_account_of
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.reviews.question import Asker, NotUnderstood
from entity_pipeline.domains.entities.reviews.review import WORDS, ReviewOutcome, ended_by
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.captions import captions_of
from entity_pipeline.shared.runs.workers import Done, Result, Workers, gated_jobs

LONGEST = timedelta(hours=12)
_NOBODY = UUID(int=0)


class LabelledReviewer:
    """Reviews labelled accounts by handle and keeps the answers. Safe for threads.

    With `only_stored` nothing is paid for: only handles in it are asked about.
    """

    def __init__(
        self,
        assets_db: Database,
        operation_db: Database,
        gemini: GeminiAccess,
        settings: EntitySettings,
        accounts: Iterable[Labelled],
        *,
        run_id: str,
        only_stored: Collection[str] | None = None,
    ) -> None:
        self.gemini = gemini
        self.stop = Event()
        self.deadline = datetime.now(UTC) + LONGEST
        self._assets_db, self._operation_db = assets_db, operation_db
        self._labelled: Mapping[str, Labelled] = {account.handle: account for account in accounts}
        self._only_stored = only_stored
        self._asker = Asker(gemini, run_id, self.stop, self.deadline, only_replay=only_stored is not None)
        self._answers: dict[str, LabelledAnswer] = {}
        self._replayed: set[str] = set()
        self._lock = Lock()

    @property
    def answers(self) -> Sequence[LabelledAnswer]:
        """One for every labelled account; an account that was not asked about is not covered."""
        with self._lock:
            return [
                self._answers.get(handle, LabelledAnswer(labelled, NOT_COVERED))
                for handle, labelled in self._labelled.items()
            ]

    @property
    def replayed(self) -> int:
        """The number of answers that cost nothing."""
        return len(self._replayed)

    def review(self, handle: str, _: EntitySettings) -> Result:
        """Ask about one account; its row is read, and nothing is written.

        Raises:
            ModelUnavailable: no request will work.
            DatabaseUnavailable: a database is unreachable for longer than the patience of the call.
        """
        if self._only_stored is not None and handle not in self._only_stored:
            return Done(NOT_COVERED)
        account = patiently_on(
            self._operation_db, lambda database: load_account_of(database, handle)
        ) or Account(id=_NOBODY, username=handle, handle=handle)
        captions = captions_of(self._assets_db, account)
        answer = self._asker.ask(handle, self._asker.question(account, captions), None)
        if isinstance(answer, NotAnswered):
            return self._not_answered(handle, answer)
        if answer.replayed:
            with self._lock:
                self._replayed.add(handle)
        if isinstance(answer, NotUnderstood):
            return self._keep(handle, f"failed:{answer.why.reason.value}")
        outcome = ReviewOutcome.REVIEWED if answer.grounding.grounded else ReviewOutcome.UNGROUNDED
        labelled = self._labelled[handle]
        return self._keep(
            handle, outcome, LabelledAnswer(labelled, outcome, answer.parsed.review, answer.grounding)
        )

    def _not_answered(self, handle: str, answer: NotAnswered) -> Result:
        if self._only_stored is not None:
            return Done(NOT_COVERED)
        if ended := ended_by(answer):
            return ended
        if answer.reason is Unanswered.REFUSED:
            return self._keep(handle, "failed:refused")
        return Done(f"unanswered:{answer.reason.value}", unavailable=True)

    def _keep(self, handle: str, outcome: str, answer: LabelledAnswer | None = None) -> Done:
        with self._lock:
            self._answers[handle] = answer or LabelledAnswer(self._labelled[handle], outcome)
        return Done(outcome)


class NotHeld:
    """Settings with open gates for a replay, which pays nothing and needs no switch."""

    def __init__(self, settings: SettingsAccess) -> None:
        self._settings = settings

    def gate(self, model: type[S]) -> Open[S]:
        """Always open."""
        return Open(self.readable(model))

    def readable(self, model: type[S]) -> S:
        """The stored value."""
        return self._settings.readable(model)

    def row(self, model: type[SettingsModel]) -> SettingsRow | None:
        """The stored value."""
        return self._settings.row(model)


def work_through(
    reviewer: LabelledReviewer, settings: SettingsAccess, concurrency: int, handles: Sequence[str]
) -> str:
    """Review the handles; returns why it ended early, or None."""
    jobs = gated_jobs(
        handles, reviewer.review, settings, EntitySettings, stop=reviewer.stop, deadline=reviewer.deadline
    )
    workers = Workers(reviewer.stop, concurrency, WORDS)
    workers.work_through(jobs)
    return workers.held_because
