"""Look at every open batch once, and store what those that have ended answered.

A batch is collected by its name in the ledger, whether its tasks noted it or not. The answers of one that they did not
note stay in the ledger, and the next question about the blog replays them.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.gemini.batch import BatchEnded, BatchWaits
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.insights.answers import AnswerWriter
from entity_pipeline.domains.influencers.insights.queries.categories import load_categories
from entity_pipeline.domains.influencers.insights.queries.insights import activate_stranded, without_blog
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.gemini_spend.forgotten import forget_subjects
from entity_pipeline.shared.tasks.leases import Leases
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE, Task

_MISSING = "the batch has ended without a request about this blog"


@dataclass
class Collection:
    """One run. `waits` and `ended` are the batches by how they were found, `cancelled` those that were overdue."""

    database: Database
    gemini: GeminiBatches
    settings: InfluencerSettings
    run_id: str
    deadline: datetime
    waits: list[BatchWaits] = field(default_factory=list)
    ended: list[BatchEnded] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = patiently_on(self.database, load_categories)
        self.writer = AnswerWriter(self.database, names, self.settings.insights_model)

    def run(self, *, cancel_overdue: bool = False) -> None:
        """Look at each batch. With `cancel_overdue`, ask Gemini to end those that are older than 26 hours.

        Their tasks are asked about again only after the batch has ended here: until then an answer may still come.
        """
        open_ones = self.gemini.open_batches(STEP)
        noted = [batch.batch_key for batch in patiently_on(self.database, STORE.batches)]
        for name in dict.fromkeys([*open_ones, *noted]):
            if not self._may_go_on():
                return
            self._look(name, cancel_overdue=cancel_overdue)
        patiently_on(self.database, activate_stranded)

    def _may_go_on(self) -> bool:
        return datetime.now(UTC) < self.deadline

    def _look(self, name: str, *, cancel_overdue: bool) -> None:
        seen: BatchWaits | BatchEnded | None = None
        # Its rows were removed from the ledger: there is nothing to wait for.
        with suppress(ValueError):
            seen = self.gemini.collect(name)
        if isinstance(seen, BatchWaits):
            if seen.is_overdue and cancel_overdue:
                self.gemini.cancel(name)
                self.cancelled.append(name)
            self.waits.append(seen)
            return
        if seen is not None:
            self.ended.append(seen)
        while self._may_go_on() and (tasks := self._taken_back(name)):
            if not self._apply(name, tasks, is_known=seen is not None):
                return

    def _taken_back(self, name: str) -> list[Task]:
        claim = f"{self.run_id}:{uuid4().hex}"
        return patiently_on(self.database, lambda db: STORE.take_back(db, claim, name, MOST_AT_ONCE))

    def _apply(self, name: str, tasks: Sequence[Task], *, is_known: bool) -> bool:
        """Whether all tasks were ended; those that still wait for a person wait for their batch again."""
        left = {task.task_key: task for task in tasks}
        others: list[str] = []
        with Leases(STORE, self.database, tasks):
            for subject, answer in self.gemini.answers(name) if is_known else ():
                if not self._may_go_on():
                    return False
                task = left.pop(subject, None)
                if task is None:
                    others.append(subject)
                else:
                    self.writer.take(task, answer, was_sent=True)
            for task in left.values():
                self.writer.fail(task, _MISSING)
        self._forget_removed(others)
        return not any(word.startswith("waits:") for word in self.writer.outcomes)

    def _forget_removed(self, subjects: Sequence[str]) -> None:
        """An answer about a blog that was removed meanwhile must not stay in the ledger."""
        if not subjects:
            return
        gone = patiently_on(self.database, lambda db: without_blog(db, subjects))
        if gone:
            patiently_on(self.database, lambda db: forget_subjects(db, STEP, gone))
