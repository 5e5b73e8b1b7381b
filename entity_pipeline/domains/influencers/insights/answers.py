"""What an answer, or none, does to a task and its blog: one transaction each, under the task's fence.

Everything here may be repeated: a task that has ended, or that another worker holds, changes nothing.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply, Unanswered
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.logic.blog_facts import BlogFacts, sources_of
from entity_pipeline.domains.influencers.insights.logic.categories import CategoryNames, match_categories
from entity_pipeline.domains.influencers.insights.logic.evidence import Supported
from entity_pipeline.domains.influencers.insights.logic.reading import Refused, Unreadable, read_answer
from entity_pipeline.domains.influencers.insights.logic.record import (
    LastOutcome,
    last_answer,
    meta_of,
    sent_posts,
)
from entity_pipeline.domains.influencers.insights.logic.waiting import Treatment, again_at, treatment
from entity_pipeline.domains.influencers.insights.queries.blog_facts import load_blogs
from entity_pipeline.domains.influencers.insights.queries.categories import replace_categories
from entity_pipeline.domains.influencers.insights.queries.insights import (
    activate,
    store_description,
    store_last,
)
from entity_pipeline.domains.influencers.insights.question import ASKED, WITHOUT_PICTURES
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.shared.tasks.rules import Task, TaskStatus

Connection = psycopg.Connection[Any]
LOST = "held_by_another"
DESCRIBED = "described"


@dataclass
class AnswerWriter:
    """Writes for one run; `outcomes` counts what happened to the tasks. `model` is the one of the settings."""

    database: Database
    names: CategoryNames
    model: str
    clock: Callable[[], datetime] = field(default=partial(datetime.now, UTC))
    outcomes: Counter[str] = field(default_factory=Counter)

    def take(self, task: Task, answer: Answered | NotAnswered, *, was_sent: bool) -> None:
        """Store an answer, or go on without one. `was_sent`: its batch has ended; else it was left out of one."""
        if isinstance(answer, Answered):
            self._count(lambda connection: self._store(connection, task, answer.reply))
            return
        how = treatment(answer.reason, was_sent=was_sent)
        # Another model is asked now, so the reply of the replaced one is not waited for.
        is_given_up = answer.reason is Unanswered.MODEL_REPLACED and _asked_model(task) != self.model
        if how is Treatment.WAIT and not (is_given_up and was_sent):
            self.outcomes[f"waits:{answer.reason}"] += 1
        elif how is Treatment.FAIL:
            self.fail(task, str(answer.detail), refused=answer.reason is Unanswered.REFUSED)
        else:
            until = self.clock() if is_given_up and was_sent else again_at(answer, self.clock())
            self._count(
                lambda connection: (
                    f"put_off:{answer.reason}"
                    if STORE.put_off(connection, task, until, str(answer.detail))
                    else LOST
                )
            )

    def fail(self, task: Task, why: str, *, refused: bool = False) -> None:
        """An attempt without an answer. A question that was refused is asked again without its pictures."""
        self._count(lambda connection: self._fail(connection, task, Failure.ERROR, why, refused))

    def finish(self, task: Task, outcome: Outcome) -> None:
        """The task needs no answer; its blog is active."""

        def write(connection: Connection) -> str:
            with connection.transaction():
                if not STORE.finish(connection, task, outcome):
                    return LOST
                activate(connection, blog_id(task))
            return str(outcome)

        self._count(write)

    def _store(self, connection: Connection, task: Task, reply: StoredReply) -> str:
        blog = load_blogs(connection, [blog_id(task)]).get(blog_id(task))
        if blog is None:
            return LOST
        sources = sources_of(blog, sent_posts(task.steps.get(ASKED), reply))
        found = read_answer(reply.body, blog.key, sources)
        with connection.transaction():
            if isinstance(found, Supported):
                return self._described(connection, task, blog, reply, found)
            if isinstance(found, Refused):
                if not STORE.finish(connection, task, Outcome.REFUSED):
                    return LOST
                last = last_answer(LastOutcome.REFUSED, reply, self.clock(), found.detail)
                store_last(connection, blog.id, last, is_over=True)
                return str(Outcome.REFUSED)
            return self._unreadable(connection, task, blog, reply, found)

    def _described(
        self, connection: Connection, task: Task, blog: BlogFacts, reply: StoredReply, found: Supported
    ) -> str:
        if not STORE.finish(connection, task):
            return LOST
        content = found.insights.content
        matched = match_categories(content.primary_topic, content.secondary_topics, self.names)
        meta = meta_of(task.steps.get(ASKED), reply, found, matched.unmatched, self.clock())
        insights = found.insights.model_dump(mode="json")
        store_description(connection, blog.id, insights, found.insights.confidence, meta)
        replace_categories(connection, {blog.id: matched})
        return DESCRIBED

    def _unreadable(
        self, connection: Connection, task: Task, blog: BlogFacts, reply: StoredReply, found: Unreadable
    ) -> str:
        status = STORE.fail(connection, task, Failure.UNREADABLE, found.detail)
        if status is None:
            return LOST
        last = last_answer(LastOutcome.UNREADABLE, reply, self.clock(), found.detail)
        store_last(connection, blog.id, last, is_over=status is TaskStatus.FAILED)
        return f"unreadable:{found.fault}"

    def _fail(self, connection: Connection, task: Task, kind: Failure, why: str, refused: bool) -> str:
        with connection.transaction():
            if refused:
                STORE.note_steps(connection, task, {WITHOUT_PICTURES: True})
            status = STORE.fail(connection, task, kind, why)
            if status is None:
                return LOST
            if status is TaskStatus.FAILED:
                activate(connection, blog_id(task))
        return f"no_answer:{status}"

    def _count(self, write: Callable[[Connection], str]) -> None:
        self.outcomes[patiently_on(self.database, write)] += 1


def blog_id(task: Task) -> UUID:
    """The blog that a task of this stage is about."""
    return UUID(task.task_key)


def _asked_model(task: Task) -> str | None:
    return json_text(json_object(task.steps.get(ASKED)).get("model"))
