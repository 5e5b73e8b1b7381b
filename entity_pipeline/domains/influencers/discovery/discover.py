"""The task `discover`: the people who post under a hashtag become blogs, if they are public and large enough.

One request for each page, and one for each person who is neither known nor erased. Every answer is noted in the steps
of the task before the next request, a person who is taken in together with the blog and its task: after a crash
nothing is asked again except what had no answer yet.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg import Connection

from entity_pipeline.core.instagram.hashtag_top import HashtagMore, HashtagPage, HashtagTop
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileById
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.influencers.discovery.logic.progress import (
    Progress,
    Seen,
    counts,
    progress_of,
    steps_of,
)
from entity_pipeline.domains.influencers.discovery.logic.verdicts import verdict
from entity_pipeline.domains.influencers.discovery.queries.discoveries import add_discovery, known_people
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.queue.asking import LOST, ask, unasked
from entity_pipeline.domains.influencers.queue.queries.new_blogs import Named, find_or_add
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.domains.influencers.queue.work_item import Ended, Work
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.endings import Ending
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
from entity_pipeline.shared.tasks.rules import NewTask, Task, TaskStatus

# So many people in a row without an answer are no chance: the attempt ends.
_MOST_IN_A_ROW = 3


def discover(task: Task, work: Work) -> Ended:
    """Work on one task to its end, or as far as Instagram allows."""
    return _Discovery(task, work).go()


class _Discovery:
    """One task at work."""

    def __init__(self, task: Task, work: Work) -> None:
        self._task = task
        self._work = work
        self._progress = progress_of(task.steps)

    def go(self) -> Ended:
        """Pages first, then people."""
        wanted = self._work.settings.discover_posts
        while self._progress.wants_page(wanted):
            if (ended := self._page(wanted)) is not None:
                return ended
        people = list(self._progress.people)
        known, erased = patiently_on(self._work.database, lambda connection: known_people(connection, people))
        for pk in erased - self._progress.looks.keys():
            self._progress = self._progress.with_look(pk, Seen.ERASED)
        unanswered, in_a_row = None, 0
        for pk in self._progress.new_people(known):
            looked = self._person(pk)
            if isinstance(looked, Result):
                # It says nothing of this person; the next one may be shown.
                unanswered, in_a_row = looked, in_a_row + 1
                if in_a_row == _MOST_IN_A_ROW:
                    break
            elif looked is not None:
                return looked
            else:
                in_a_row = 0
        if unanswered is not None:
            return self._fail(unanswered)
        return self._finish(None if self._progress.posts else Outcome.NO_POSTS)

    def _page(self, wanted: int) -> Ended | None:
        tag, cursor = self._task.task_key, self._progress.cursor
        operation: Operation[HashtagPage] = HashtagTop(tag) if cursor is None else HashtagMore(tag, cursor)
        answer = ask(operation, self._work)
        if not isinstance(answer, Result):
            return self._not_asked(answer)
        if answer.value is not None:
            return self._note(self._progress.with_page(answer.value, wanted))
        if answer.finding is Finding.NOT_FOUND and answer.canary:
            return self._finish(Outcome.NO_POSTS)
        return self._fail(answer)

    def _person(self, pk: int) -> Ended | Result[InstagramProfile] | None:
        """Look at a person. An answer that says nothing of them and blames no account is returned."""
        answer = ask(ProfileById(pk), self._work)
        if not isinstance(answer, Result):
            return self._not_asked(answer)
        seen = verdict(answer, self._work.settings)
        if seen is None:
            return self._fail(answer) if _is_refused(answer) else answer
        if seen is not Seen.ADDED or answer.value is None:
            return self._note(self._progress.with_look(pk, seen))
        profile = answer.value
        progress = patiently_on(
            self._work.database, lambda connection: self._take_in(connection, pk, profile)
        )
        if progress is None:
            return LOST
        self._progress = progress
        return None

    def _take_in(self, connection: Connection[Any], pk: int, profile: InstagramProfile) -> Progress | None:
        """Person, blog, task and note in one transaction; None if the task is not held any more."""
        username = handle_or_none(profile.username)
        with connection.transaction() as transaction:
            seen = Seen.UNREADABLE
            if username is not None:
                found = find_or_add(connection, [Named(username, pk)], f"discover:{self._task.task_key}")
                seen, blog = Seen.ADDED, found[username]
                if blog.is_erased:
                    seen = Seen.ERASED
                elif not blog.is_new:
                    seen = Seen.KNOWN
                else:
                    new = NewTask(TaskType.FULL_SCRAPE, str(blog.blog_id), Priority.DISCOVERED)
                    self._work.store.create(connection, [new])
            progress = self._progress.with_look(pk, seen)
            is_held = self._work.store.note_steps(connection, self._task, steps_of(progress))
            if not is_held:
                raise psycopg.Rollback(transaction)
        return progress if is_held else None

    def _note(self, progress: Progress) -> Done | None:
        def note(connection: Connection[Any]) -> bool:
            return self._work.store.note_steps(connection, self._task, steps_of(progress))

        if not patiently_on(self._work.database, note):
            return LOST
        self._progress = progress
        return None

    def _finish(self, outcome: Outcome | None) -> Done:
        """The row of the discovery and the end of the task, whose steps then name no person."""
        found, steps = counts(self._progress), self._summary()

        def write(connection: Connection[Any]) -> bool:
            with connection.transaction():
                if self._work.store.note_steps(connection, self._task, steps):
                    add_discovery(connection, self._task.task_key, found)
                return self._work.store.finish(connection, self._task, outcome)

        return Done(outcome or "discovered") if patiently_on(self._work.database, write) else LOST

    def _fail(self, answer: Result[Any]) -> Ended:
        """The end of the attempt. After the last one the steps name no one either."""
        kind = Failure.ALL_COOLING if _is_refused(answer) else Failure.ERROR
        said = f"{answer.word}: {answer.detail}" if answer.detail else answer.word
        ending = endings.failed(self._work.store.queue, self._task, kind, said)
        steps = self._summary() if ending.status is TaskStatus.FAILED else {}
        return self._end(ending, Done(kind, unavailable=answer.finding is Finding.UNANSWERED), steps)

    def _summary(self) -> dict[str, Any]:
        """Steps with counts and without ids."""
        return {**steps_of(Progress(self._progress.pages)), "found": asdict(counts(self._progress))}

    def _not_asked(self, answer: Deferred | None) -> Ended:
        left = unasked(answer, self._work)
        return LOST if left is None else self._end(*left)

    def _end(self, ending: Ending, ended: Ended, steps: Mapping[str, Any] | None = None) -> Ended:
        def write(connection: Connection[Any]) -> bool:
            trip = FencedTrip(self._work.store, connection, self._task, steps)
            trip.end(ending)
            return trip.go()

        return ended if patiently_on(self._work.database, write) else LOST


def _is_refused(answer: Result[Any]) -> bool:
    """Whether the answer blames the account: so does "not found" by one that does not find its canary either."""
    return answer.is_refused or (answer.finding is Finding.NOT_FOUND and answer.canary is False)
