"""One attempt at a scrape: its requests over several seats, its writes under the task's fence, and its early ends.

Which steps there are, and what their answers mean, does not belong here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.domains.influencers.models import ScrapeStatus
from entity_pipeline.domains.influencers.queue.asking import LOST, ask, unasked
from entity_pipeline.domains.influencers.queue.tasks import Failure
from entity_pipeline.domains.influencers.queue.work_item import Ended, Work
from entity_pipeline.domains.influencers.scraping.queries.blog import StoredBlog, ask_begun, set_status
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.endings import Ending
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
from entity_pipeline.shared.tasks.rules import Task, TaskStatus

R = TypeVar("R")
T = TypeVar("T")
Write = Callable[[FencedTrip], object]


def nothing(_: FencedTrip) -> None:
    """No further write."""


@dataclass
class Attempt:
    """`blog` and `steps` are as they are stored; both are set by `begin`."""

    task: Task
    work: Work
    blog: StoredBlog = field(init=False)
    steps: Mapping[str, Any] = field(init=False)

    def begin(self) -> bool:
        """Mark the blog as being scraped, and read it. False: the task is lost, or its blog was removed."""

        def go(connection: Connection[Any]) -> StoredBlog | None:
            trip = self._trip(connection)
            begun = ask_begun(trip, self.task.id, UUID(self.task.task_key))
            return begun.value if trip.go() else None

        blog = self.patiently(go)
        if blog is None:
            return False
        self.blog, self.steps = blog, blog.steps
        return True

    def ask(self, operation: Operation[R], *, is_optional: bool = False) -> Result[R] | Ended:
        """The answer about the target, from the first seat that is not refused; otherwise how the task was ended.

        Refused by every seat, an optional request does not fail the task in its last attempt: the refusal is returned.
        """
        answer = ask(operation, self.work)
        if not isinstance(answer, Result):
            left = unasked(answer, self.work)
            return LOST if left is None else self.give_back(*left)
        return self._refused(answer, is_optional) if answer.is_refused else answer

    def store(self, note: Mapping[str, Any], write: Write) -> bool:
        """Write, and note the steps as stored. False: the task is lost."""

        def go(connection: Connection[Any]) -> bool:
            trip = self._trip(connection, note)
            write(trip)
            return trip.go()

        if not self.patiently(go):
            return False
        self.steps = {**self.steps, **note}
        return True

    def end(
        self, ending: Ending, ended: Ended, write: Write = nothing, note: Mapping[str, Any] | None = None
    ) -> Ended:
        """Write, and end the task."""

        def finish(trip: FencedTrip) -> None:
            write(trip)
            trip.end(ending)

        return ended if self.store(note or {}, finish) else LOST

    def give_back(
        self, ending: Ending, ended: Ended, write: Write = nothing, note: Mapping[str, Any] | None = None
    ) -> Ended:
        """End an attempt without a result. The blog has its former state again; FAILED, if it never had data."""
        is_final = ending.status is TaskStatus.FAILED and not self.blog.was_scraped
        status = ScrapeStatus.FAILED if is_final else self.blog.former_status

        def restore(trip: FencedTrip) -> None:
            write(trip)
            set_status(trip, self.blog.id, status)

        return self.end(ending, ended, restore, note)

    def fail(self, kind: Failure, sentence: str, write: Write = nothing) -> Ended:
        """The attempt failed."""
        return self.give_back(self._failed(kind, sentence), Done(kind), write)

    def fail_by(
        self, what: str, result: Result[Any], write: Write = nothing, note: Mapping[str, Any] | None = None
    ) -> Ended:
        """The attempt failed by an answer that says nothing about the target."""
        ended = Done(Failure.ERROR, unavailable=result.finding is Finding.UNANSWERED)
        return self.give_back(self._failed(Failure.ERROR, f"{what}: {_said(result)}"), ended, write, note)

    def patiently(self, action: Callable[[Connection[Any]], T]) -> T:
        """`action` on a connection, through short outages."""
        return patiently_on(self.work.database, action, sleep=self.work.stop.wait)

    def put_off(self, wait: timedelta, because: str) -> Ended:
        """Nothing can be done now; the attempt does not count."""
        ending = endings.put_off(self.work.clock() + wait, because)
        return self.give_back(ending, Done("put_off"))

    def _refused(self, refused: Result[R], is_optional: bool) -> Result[R] | Ended:
        sentence = f"Every account that could ask was refused: {_said(refused)}"
        ending = self._failed(Failure.ALL_COOLING, sentence)
        if is_optional and ending.status is TaskStatus.FAILED:
            return refused
        return self.give_back(ending, Done(Failure.ALL_COOLING, unavailable=True))

    def _failed(self, kind: Failure, sentence: str) -> Ending:
        return endings.failed(self.work.store.queue, self.task, kind, sentence)

    def _trip(self, connection: Connection[Any], note: Mapping[str, Any] | None = None) -> FencedTrip:
        return FencedTrip(self.work.store, connection, self.task, note)

    def move_to(self, blog_id: UUID) -> None:
        """The task is about another blog from now on."""
        self.task = replace(self.task, task_key=str(blog_id))


def _said(result: Result[Any]) -> str:
    return f"{result.word} ({result.detail})" if result.detail else result.word
