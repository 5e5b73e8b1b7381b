"""Submit batches of questions about blogs whose tasks wait, and store at once what needs no question.

Which death leaves what behind:

| the process dies | what happens next |
|---|---|
| before `submit` has reserved | the leases run out, and the tasks are claimed again |
| within `submit` | as decision 16 says; the tasks are claimed again, and their questions find the same batch |
| before the tasks note their batch | the batch is collected all the same, and the next claim replays its answers |
| after that | the tasks wait for their batch |
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.gemini.batch import BatchTicket
from entity_pipeline.core.gemini.outcomes import NotAnswered
from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.answers import AnswerWriter, blog_id
from entity_pipeline.domains.influencers.insights.logic.blog_facts import BlogFacts
from entity_pipeline.domains.influencers.insights.logic.record import is_answered
from entity_pipeline.domains.influencers.insights.logic.waiting import stops
from entity_pipeline.domains.influencers.insights.pictures import PictureKeeper, Spool
from entity_pipeline.domains.influencers.insights.queries.blog_facts import load_blogs
from entity_pipeline.domains.influencers.insights.queries.categories import load_categories
from entity_pipeline.domains.influencers.insights.queries.insights import waiting
from entity_pipeline.domains.influencers.insights.queries.pictures import waiting_blogs
from entity_pipeline.domains.influencers.insights.question import (
    ASKED,
    WITHOUT_PICTURES,
    Question,
    question,
)
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Outcome
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.tasks.leases import Leases
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE, Task

# Small batches lose less when one expires; the wait differs little.
MOST_IN_BATCH = 50
_BLOGS_WITH_PICTURES = 200  # per run


@dataclass
class Submission:
    """One run. `batches` are the names of those it submitted, `held_because` why it stopped before the end."""

    database: Database
    gemini: GeminiBatches
    session: InstagramSession
    store: ObjectStore
    settings: InfluencerSettings
    run_id: str
    deadline: datetime

    def __post_init__(self) -> None:
        self.names = patiently_on(self.database, load_categories)
        self.writer = AnswerWriter(self.database, self.names, self.settings.insights_model)
        self.pictures = PictureKeeper(self.session, self.store, self.database, self.deadline)
        self.batches: list[str] = []
        self.held_because = ""

    def run(self) -> None:
        """Fetch pictures, then submit while a batch is due."""
        if not self.settings.insights_are_on:
            self._end_all(Outcome.INSIGHTS_DISABLED)
            return
        self._keep_pictures()
        while self._may_go_on() and self._is_due():
            self._one_batch()

    def _may_go_on(self) -> bool:
        return not self.held_because and datetime.now(UTC) < self.deadline

    def _is_due(self) -> bool:
        found = patiently_on(self.database, waiting)
        return found.is_batch_due(
            datetime.now(UTC),
            tasks=self.settings.insights_batch_tasks,
            hours=self.settings.insights_wait_hours,
        )

    def _keep_pictures(self) -> None:
        blogs = patiently_on(self.database, lambda db: waiting_blogs(db, _BLOGS_WITH_PICTURES))
        for blog in blogs if self.settings.insights_pictures else ():
            if not self._may_go_on() or self.pictures.held_because:
                return
            found = self._loaded([blog]).get(blog)
            if found is not None:
                self.pictures.keep(found, self.settings.insights_pictures)

    def _end_all(self, outcome: Outcome) -> None:
        while self._may_go_on() and (tasks := self._claimed(MOST_AT_ONCE)):
            with Leases(STORE, self.database, tasks):
                for task in tasks:
                    self.writer.finish(task, outcome)

    def _one_batch(self) -> None:
        tasks = self._claimed(MOST_IN_BATCH)
        if not tasks:
            self.held_because = "Other runs hold the tasks that wait."
            return
        # Whatever ends this block, tasks that are still held are given back, and their attempt does not count.
        with (
            Leases(STORE, self.database, tasks),
            tempfile.TemporaryDirectory(prefix="entity-pipeline-insights-") as folder,
        ):
            patiently_on(self.database, lambda db: STORE.begin(db, tasks))
            try:
                questions = self._questions(tasks, Spool(self.store, Path(folder)))
            except TransientFailure as failure:
                self.held_because = str(failure)
                return
            if questions:
                self._submit([task for task in tasks if task.id in questions], questions)

    def _claimed(self, most: int) -> list[Task]:
        claim = f"{self.run_id}:{uuid4().hex}"
        return patiently_on(self.database, lambda db: STORE.claim(db, claim, most, [TaskType.AI_ANALYSIS]))

    def _questions(self, tasks: Sequence[Task], spool: Spool) -> dict[int, Question]:
        """The questions to ask, by task. Tasks that need none are finished."""
        asked: dict[int, Question] = {}
        for task in tasks:
            blog = self._loaded([blog_id(task)]).get(blog_id(task))
            if blog is None:
                continue
            if not blog.is_describable:
                self.writer.finish(task, Outcome.NOTHING_TO_DESCRIBE)
                continue
            made = build(blog, spool, self.settings, self.names.names, task.steps)
            if is_answered(blog, made.input_hash):
                self.writer.finish(task, Outcome.UNCHANGED)
                continue
            asked[task.id] = made
        return asked

    def _submit(self, tasks: Sequence[Task], questions: Mapping[int, Question]) -> None:
        held = [task for task in tasks if self._note(task, questions[task.id])]
        if not held:
            return
        by_subject = {task.task_key: _noted(task, questions[task.id]) for task in held}
        ticket = self.gemini.submit([questions[task.id].call for task in held], run_id=self.run_id)
        if isinstance(ticket, NotAnswered):
            for task in by_subject.values():
                self._left_out(task, ticket)
            return
        self._wait(ticket, [task for subject, task in by_subject.items() if subject in ticket.subjects])
        for subject, answer in ticket.replayed.items():
            self.writer.take(by_subject[subject], answer, was_sent=True)
        for subject, why in ticket.left_out.items():
            self._left_out(by_subject[subject], why)

    def _note(self, task: Task, asked: Question) -> bool:
        return patiently_on(self.database, lambda db: STORE.note_steps(db, task, {ASKED: asked.note}))

    def _wait(self, ticket: BatchTicket, tasks: Sequence[Task]) -> None:
        if ticket.name is None or not tasks:
            return
        name = ticket.name
        self.batches.append(name)
        if not patiently_on(self.database, lambda db: STORE.wait_for_batch(db, tasks, name)):
            # One of them is held by another worker, who will find the batch, or replay its answer.
            for task in tasks:
                patiently_on(self.database, lambda db, task=task: STORE.wait_for_batch(db, [task], name))  # type: ignore[misc]
        self.writer.outcomes["submitted"] += len(tasks)

    def _left_out(self, task: Task, why: NotAnswered) -> None:
        if stops(why.reason):
            self.held_because = self.held_because or str(why.detail)
        self.writer.take(task, why, was_sent=False)

    def _loaded(self, ids: Sequence[UUID]) -> dict[UUID, BlogFacts]:
        return patiently_on(self.database, lambda db: load_blogs(db, ids))


def build(
    blog: BlogFacts,
    spool: Spool,
    settings: InfluencerSettings,
    topics: Sequence[str],
    steps: Mapping[str, object],
) -> Question:
    """The question about a blog with its stored pictures, or without them after Gemini refused them."""
    most = 0 if steps.get(WITHOUT_PICTURES) else settings.insights_pictures
    return question(blog, spool.pictures(blog, most) if most else [], settings.insights_model, topics)


def _noted(task: Task, asked: Question) -> Task:
    return replace(task, steps={**task.steps, ASKED: asked.note})
