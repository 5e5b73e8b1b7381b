"""The work on one `full_scrape` task: request after request, each answer stored as it comes, in one round trip.

A scrape that was interrupted goes on with the steps that its task has not noted. The last answer ends the task in the
same round trip. What is asked next, and what an answer means, is decided in `logic/`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileById, ProfileLook
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.models import Priority, ScrapeStatus, TaskType
from entity_pipeline.domains.influencers.queue.asking import LOST
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.domains.influencers.queue.work_item import Ended, Work
from entity_pipeline.domains.influencers.scraping.attempt import Attempt, Write, nothing
from entity_pipeline.domains.influencers.scraping.logic.highlight_rows import stories_row, tray_row
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures, PostFigures, measure
from entity_pipeline.domains.influencers.scraping.logic.post_rows import plays_of, post_row
from entity_pipeline.domains.influencers.scraping.logic.profile_verdict import (
    Seen,
    Verdict,
    needs_look_by_id,
    verdict,
)
from entity_pipeline.domains.influencers.scraping.logic.sightings import Entries, shows_absence, with_look
from entity_pipeline.domains.influencers.scraping.logic.steps import (
    OPTIONAL,
    Step,
    counts_noted,
    is_measurable,
    items_noted,
    next_step,
    operation_of,
    post_pks,
    posts_noted,
    profile_noted,
    reels_noted,
    skipped,
    to_look_again,
    tray_noted,
    unread_highlights,
)
from entity_pipeline.domains.influencers.scraping.queries import blog as blogs
from entity_pipeline.domains.influencers.scraping.queries import posts as feeds
from entity_pipeline.domains.influencers.scraping.queries.same_person import ask_moved
from entity_pipeline.shared.database.refusals import is_refusal, said_by
from entity_pipeline.shared.database.round_trip import RoundTripAnswer
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline.shared.tasks import endings
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
from entity_pipeline.shared.tasks.rules import NewTask, Task

_SCRAPED = Done("scraped")
_SAME_PERSON = "blogs_platform_id"
_UNCONFIRMED = "The profile was not found; a second look, hours later, has to confirm it"
_AT_WORK_ELSEWHERE = "The same person is being scraped under a former username."
_AFTER_THE_OTHER = timedelta(minutes=10)


def scrape(task: Task, work: Work) -> Ended:
    """Scrape the blog of the task, and end the task.

    Raises:
        DatabaseUnavailable: the database stays away; the task's lease runs out.
    """
    attempt = Attempt(task, work)
    try:
        return Scrape(attempt).run()
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        # Rows beyond what a column holds, or against a rule that was added. The run's other tasks go on.
        return attempt.fail(Failure.ERROR, f"The database refuses the rows: {said_by(error)}")


class Scrape:
    """The steps of one attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._settings = attempt.work.settings
        self._followers: int | None = None
        # Of the page, if this attempt has read it; another attempt's is read back from the database.
        self._figures: list[PostFigures] | None = None

    def run(self) -> Ended:
        """Take the steps that are left."""
        if not self._begin():
            return LOST
        while (step := next_step(self._attempt.steps, self._settings)) is not None:
            ended = self._profile() if step is Step.PROFILE else self._feed(step)
            if ended is not None:
                return ended
        # An earlier attempt stored all that the settings ask for now.
        return self._store({}) or _SCRAPED

    def _begin(self) -> bool:
        has_begun = self._attempt.begin()
        if has_begun:
            self._followers = self._attempt.blog.follower_count
        return has_begun

    def _profile(self) -> Ended | None:
        blog = self._attempt.blog
        by_name = self._attempt.ask(ProfileLook(blog.username))
        if not isinstance(by_name, Result):
            return by_name
        by_id: Result[InstagramProfile] | None = None
        if blog.platform_id is not None and needs_look_by_id(by_name, blog.platform_id):
            second = self._attempt.ask(ProfileById(blog.platform_id))
            if not isinstance(second, Result):
                return second
            by_id = second
        return self._seen(verdict(by_name, by_id))

    def _seen(self, seen: Verdict) -> Ended | None:
        """What follows from the verdict about the profile."""
        attempt, blog = self._attempt, self._attempt.blog
        entries: Entries = []
        if blog.sightings or seen.look.finding is Finding.NOT_FOUND:
            entries = with_look(blog.sightings, seen.look, attempt.work.clock())

        def keep_look(trip: FencedTrip) -> None:
            if entries:
                blogs.set_sightings(trip, blog.id, entries)

        match seen.seen:
            case Seen.FOUND | Seen.PRIVATE if seen.profile is not None:
                return self._found(seen.profile, keep_look)
            case Seen.PRIVATE:
                return self._private(keep_look)
            case Seen.ABSENT | Seen.NAME_REUSED if shows_absence(entries):
                is_reused = seen.seen is Seen.NAME_REUSED
                return self._gone(Outcome.RENAMED_AWAY if is_reused else Outcome.DELETED, keep_look)
            case Seen.ABSENT | Seen.NAME_REUSED:
                return attempt.fail(
                    Failure.UNCONFIRMED, f"{_UNCONFIRMED} ({seen.look.detail.rstrip('.')}).", keep_look
                )
        return attempt.fail_by("profile", seen.look, keep_look)

    def _found(self, profile: InstagramProfile, write: Write = nothing) -> Ended | None:
        """Store the profile, under whatever username it has now."""
        blog_id = self._attempt.blog.id
        erased: list[RoundTripAnswer[bool]] = []

        def keep(trip: FencedTrip) -> None:
            write(trip)
            erased.append(blogs.store_profile(trip, blog_id, profile))

        self._shows_followers(profile)
        try:
            ended = self._private(keep) if profile.is_private else self._store(profile_noted(profile), keep)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != _SAME_PERSON:
                raise
            return self._same_person(profile)
        return Done(Outcome.ERASED) if erased[-1].value else ended

    def _shows_followers(self, profile: InstagramProfile) -> None:
        if profile.follower_count is not None:
            self._followers = profile.follower_count

    def _same_person(self, profile: InstagramProfile) -> Ended | None:
        """Go on with the blog that has this profile's id; it was known under a former username."""
        attempt = self._attempt
        moved: list[RoundTripAnswer[UUID | None]] = []

        def move(trip: FencedTrip) -> None:
            moved.append(ask_moved(trip, attempt.task.id, attempt.blog.id, profile))

        if not attempt.store({}, move):
            return LOST
        older = moved[-1].value
        if older is None:
            return attempt.put_off(_AFTER_THE_OTHER, _AT_WORK_ELSEWHERE)
        attempt.move_to(older)
        return self._found(profile) if self._begin() else LOST

    def _private(self, write: Write) -> Ended:
        attempt = self._attempt

        def keep(trip: FencedTrip) -> None:
            write(trip)
            blogs.set_scraped(trip, attempt.blog.id, ScrapeStatus.PRIVATE)

        return attempt.end(endings.finished(Outcome.PRIVATE), Done(Outcome.PRIVATE), keep)

    def _gone(self, outcome: Outcome, write: Write) -> Ended:
        attempt = self._attempt

        def keep(trip: FencedTrip) -> None:
            write(trip)
            blogs.set_status(trip, attempt.blog.id, ScrapeStatus.DELETED)

        return attempt.end(endings.finished(outcome), Done(outcome), keep)

    def _feed(self, step: Step) -> Ended | None:
        """Any step but the first."""
        attempt = self._attempt
        operation = operation_of(step, attempt.steps, self._settings)
        result = attempt.ask(operation, is_optional=step in OPTIONAL)
        if not isinstance(result, Result):
            return result
        if result.value is None:
            return self._without(step, result)
        blog_id, value = attempt.blog.id, result.value
        match step:
            case Step.COUNTS:
                self._shows_followers(value)
                note = counts_noted(attempt.steps, value)
                return self._store(note, lambda trip: blogs.store_counts(trip, blog_id, value))
            case Step.POSTS:
                rows = [post_row(post, self._pk) for post in value.posts]
                self._figures = [row.figures for row in rows]
                return self._store(
                    posts_noted(value.posts), lambda trip: feeds.store_posts(trip, blog_id, rows)
                )
            case Step.REELS:
                plays = plays_of(value.reels)
                return self._store(
                    reels_noted(value.reels), lambda trip: feeds.store_plays(trip, blog_id, plays), plays
                )
            case Step.TRAY:
                entries = [tray_row(highlight) for highlight in value.highlights]
                note = tray_noted([entry.platform_id for entry in entries])
                return self._store(note, lambda trip: feeds.store_tray(trip, blog_id, entries))
        stories = [stories_row(highlight) for highlight in value.highlights]
        note = items_noted(attempt.steps, unread_highlights(attempt.steps))
        return self._store(note, lambda trip: feeds.store_stories(trip, blog_id, stories))

    def _without(self, step: Step, result: Result[Any]) -> Ended | None:
        """What follows when a step has no value."""
        attempt = self._attempt
        if result.finding is Finding.PRIVATE:
            return self._private(nothing)
        if step is Step.ITEMS and result.finding is Finding.NOT_FOUND:
            return self._store(items_noted(attempt.steps, unread_highlights(attempt.steps)))
        if step in OPTIONAL:
            return self._store(skipped(step, result.word))
        # The profile has to be looked at again: it may be gone since.
        note = to_look_again() if result.finding is Finding.NOT_FOUND else {}
        return attempt.fail_by(str(step), result, note=note)

    def _store(
        self, note: Mapping[str, Any], write: Write = nothing, plays: Mapping[int, int] | None = None
    ) -> Ended | None:
        """Store an answer, the measures once all that they rest on is stored, and the end with the last answer.

        Returns how the task ended; None when there are further steps.
        """
        attempt, settings = self._attempt, self._settings
        after = {**attempt.steps, **note}
        is_last = next_step(after, settings) is None
        measures = None
        if is_measurable(after, settings) and not is_measurable(attempt.steps, settings):
            measures = self._measures(after, plays or {})

        def keep(trip: FencedTrip) -> None:
            write(trip)
            if measures is not None:
                blogs.set_measures(trip, attempt.blog.id, measures)
            if is_last:
                self._finish(trip)

        if not attempt.store(note, keep):
            return LOST
        return _SCRAPED if is_last else None

    def _measures(self, steps: Mapping[str, Any], plays: Mapping[int, int]) -> Measures:
        figures, blog_id, pks = self._figures, self._attempt.blog.id, post_pks(steps)
        if not pks:
            figures = []
        elif figures is None:
            figures = self._attempt.patiently(lambda connection: feeds.read_figures(connection, blog_id, pks))
        known = [replace(one, plays=plays.get(one.pk, one.plays)) for one in figures]
        return measure(known, self._followers, self._attempt.work.clock())

    def _finish(self, trip: FencedTrip) -> None:
        """The blog waits for its insights, for which there is a task then; or all is done."""
        blog_id, settings = self._attempt.blog.id, self._settings
        status = ScrapeStatus.ANALYZING if settings.insights_are_on else ScrapeStatus.ACTIVE
        blogs.set_scraped(trip, blog_id, status)
        if settings.insights_are_on:
            trip.create(NewTask(TaskType.AI_ANALYSIS, str(blog_id), Priority.ANALYSIS))
        trip.end(endings.finished())

    @property
    def _pk(self) -> int:
        return int(self._attempt.steps[Step.PROFILE]["pk"])
