"""What an answer, or none, does to a task and its blog: one round trip each, under the task's fence.

Everything here may be repeated: a task that has ended, or that another worker holds, changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
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
from entity_pipeline.domains.influencers.insights.logic.reading import Refused, read_answer
from entity_pipeline.domains.influencers.insights.logic.record import (
    LastOutcome,
    last_answer,
    meta_of,
    sent_posts,
)
from entity_pipeline.domains.influencers.insights.logic.waiting import Treatment, again_at, treatment
from entity_pipeline.domains.influencers.insights.queries.blog_facts import load_blogs
from entity_pipeline.domains.influencers.insights.queries.categories import store_categories
from entity_pipeline.domains.influencers.insights.queries.insights import (
    activate,
    store_description,
    store_last,
)
from entity_pipeline.domains.influencers.insights.question import ASKED, WITHOUT_PICTURES
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
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
        self._count(
            lambda connection: self._end(
                connection,
                task,
                endings.finished(outcome),
                str(outcome),
                lambda trip: activate(trip, blog_id(task)),
            )
        )

    def _store(self, connection: Connection, task: Task, reply: StoredReply) -> str:
        blog = load_blogs(connection, [blog_id(task)]).get(blog_id(task))
        if blog is None:
            return LOST
        sources = sources_of(blog, sent_posts(task.steps.get(ASKED), reply))
        found = read_answer(reply.body, blog.key, sources)
        if isinstance(found, Supported):
            return self._described(connection, task, blog, reply, found)
        if isinstance(found, Refused):
            ending, outcome, word = (
                endings.finished(Outcome.REFUSED),
                LastOutcome.REFUSED,
                str(Outcome.REFUSED),
            )
        else:
            ending = endings.failed(STORE.queue, task, Failure.UNREADABLE, found.detail)
            outcome, word = LastOutcome.UNREADABLE, f"unreadable:{found.fault}"
        last = last_answer(outcome, reply, self.clock(), found.detail)
        is_over = ending.status is not TaskStatus.PENDING
        return self._end(
            connection, task, ending, word, lambda trip: store_last(trip, blog.id, last, is_over=is_over)
        )

    def _described(
        self, connection: Connection, task: Task, blog: BlogFacts, reply: StoredReply, found: Supported
    ) -> str:
        content = found.insights.content
        matched = match_categories(content.primary_topic, content.secondary_topics, self.names)
        meta = meta_of(task.steps.get(ASKED), reply, found, matched.unmatched, self.clock())
        insights = found.insights.model_dump(mode="json")

        def write(trip: FencedTrip) -> None:
            store_description(trip, blog.id, insights, found.insights.confidence, meta)
            store_categories(trip, blog.id, matched)

        return self._end(connection, task, endings.finished(), DESCRIBED, write)

    def _fail(self, connection: Connection, task: Task, kind: Failure, why: str, refused: bool) -> str:
        ending = endings.failed(STORE.queue, task, kind, why)

        def write(trip: FencedTrip) -> None:
            if ending.status is TaskStatus.FAILED:
                activate(trip, blog_id(task))

        steps = {WITHOUT_PICTURES: True} if refused else {}
        return self._end(connection, task, ending, f"no_answer:{ending.status}", write, steps)

    def _end(
        self,
        connection: Connection,
        task: Task,
        ending: endings.Ending,
        word: str,
        write: Callable[[FencedTrip], None],
        steps: Mapping[str, Any] | None = None,
    ) -> str:
        """Write and give the task back in one round trip; the word for the counts."""
        trip = FencedTrip(STORE, connection, task, steps)
        write(trip)
        trip.end(ending)
        return word if trip.go() else LOST

    def _count(self, write: Callable[[Connection], str]) -> None:
        self.outcomes[patiently_on(self.database, write)] += 1


def blog_id(task: Task) -> UUID:
    """The blog that a task of this stage is about."""
    return UUID(task.task_key)


def _asked_model(task: Task) -> str | None:
    return json_text(json_object(task.steps.get(ASKED)).get("model"))
