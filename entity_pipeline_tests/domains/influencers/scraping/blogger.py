"""A made-up blogger with posts and highlights, her task, and what a handler gets for it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.highlights import (
    Highlight,
    HighlightItems,
    HighlightsLook,
    HighlightsRead,
    HighlightStories,
    HighlightTray,
    Story,
)
from entity_pipeline.core.instagram.newest_posts import NewestPosts, PostsPage
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.post import InstagramPost, NamedUser, Place
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import failure_reason
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.fakes.instagram import FakeInstagram

Connection = psycopg.Connection[Any]

NAME, PK = "made.up.blogger", 9_000_000_001
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PROFILE = InstagramProfile(
    instagram_id=str(PK),
    username=NAME,
    display_name="Made Up",
    bio="바다",
    picture_url="https://x.cdninstagram.com/p.jpg",
    is_private=False,
    is_verified=True,
    follower_count=10_000,
    external_urls=("https://shop.example/",),
    following_count=56,
    media_count=78,
    is_business=True,
    category="Traveller",
)
FOUND = Result(Finding.FOUND, PROFILE, source="anonymous:direct")
NOT_THERE: Result[Any] = Result(Finding.NOT_FOUND, detail="HTTP 404", canary=True, source="account:ours_1")
LIMITED: Result[Any] = Result(Finding.UNANSWERED, seat=SeatOutcome.LIMITED, detail="HTTP 429")
DRIFT: Result[Any] = Result(Finding.DRIFT, detail="no list of posts")
BUSY = Deferred(failure_reason("All accounts are resting."), NOW + timedelta(minutes=45))
DESCRIBED = InfluencerSettings(insights_enabled=True, insights_acknowledged=True)

Answers = dict[Operation[Any], Result[Any] | Deferred | Sequence[Result[Any] | Deferred]]


def post(nth: int, **fields: Any) -> InstagramPost:
    """Her post number `nth`, one every second day; every third one is a reel."""
    is_reel = nth % 3 == 0
    shown = InstagramPost(
        pk=4_000_000_000_000_000_000 + nth,
        code=f"Made{nth:07}",
        taken_at=NOW - timedelta(days=2 * nth),
        kind="video" if is_reel else "photo",
        product_type="clips" if is_reel else "feed",
        owner=NamedUser(PK, NAME),
        caption=f"Day {nth} #Jeju @made.up.brand",
        like_count=100 + nth,
        comment_count=10,
        play_count=5_000 if is_reel else None,
        thumbnail_url=f"https://x.cdninstagram.com/{nth}.jpg",
        duration_s=11.5 if is_reel else None,
        location=Place(213, "Beach", 33.4, 126.5),
    )
    return replace(shown, **fields)


POSTS = tuple(post(nth) for nth in range(20))
HIGHLIGHTS = tuple(Highlight(17_900_000_000_000_000 + nth, f"Trip {nth}", 3) for nth in range(7))


def stories(pk: int) -> HighlightStories:
    """A highlight with two stories."""
    story = Story(
        pk=1,
        taken_at=NOW,
        mentions=(NamedUser(5, "made.up.brand"),),
        links=("https://shop.example/a",),
        places=(Place(213, "Beach"),),
    )
    return HighlightStories(pk, "Trip", (story, replace(story, pk=2, links=None)))


def items(*highlights: Highlight) -> tuple[HighlightItems, Result[HighlightsRead]]:
    pks = tuple(highlight.pk for highlight in highlights)
    return HighlightItems(pks), Result(Finding.FOUND, HighlightsRead(tuple(map(stories, pks))))


def answers(
    posts: Sequence[InstagramPost] = POSTS, highlights: Sequence[Highlight] = HIGHLIGHTS, pk: int = PK
) -> Answers:
    """What Instagram answers beside the profile's page."""
    parts = [highlights[first : first + 5] for first in range(0, len(highlights), 5)]
    found: Answers = {
        NewestPosts(pk, 20): Result(Finding.FOUND, PostsPage(posts)),
        HighlightsLook(pk): Result(Finding.FOUND, HighlightTray(highlights)),
    }
    return found | dict(items(*part) for part in parts)


def asked(connection: Connection, name: str = NAME) -> Task:
    """The claimed task of a blog that a person has named."""
    ask_for_blogs(connection, [name])
    return claimed(connection)


def claimed(connection: Connection, claim: str = "claim") -> Task:
    """The next scrape, whose wait is over."""
    connection.execute(
        "update scrape_tasks set next_retry_at = next_retry_at - interval '2 days', "
        "deferred_until = deferred_until - interval '1000 days' where status = 'pending'"
    )
    [task] = STORE.claim(connection, claim, 1, [TaskType.FULL_SCRAPE])
    return task


def work(
    database: Database,
    session: InstagramSession,
    settings: InfluencerSettings | None = None,
    now: datetime = NOW,
) -> Work:
    return Work(
        settings=settings or InfluencerSettings(),
        session=session,
        database=database,
        store=STORE,
        stop=Event(),
        lost=Event(),
        deadline=now + timedelta(minutes=10),
        clock=lambda: now,
    )


def rows(connection: Connection, query: str, *values: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def blog(connection: Connection, name: str = NAME) -> dict[str, Any]:
    [row] = rows(connection, "select * from blogs where username = %s", name)
    return row


def task_now(connection: Connection, task: Task) -> Mapping[str, Any]:
    [row] = rows(connection, "select * from scrape_tasks where id = %s", task.id)
    return row


def posts_of(connection: Connection, blog_id: UUID) -> list[dict[str, Any]]:
    return rows(connection, "select * from blog_posts where blog_id = %s order by taken_at desc", blog_id)


def shown(profile: Result[InstagramProfile] | Deferred, found: Answers | None = None) -> FakeInstagram:
    """An Instagram that shows this under her name."""
    return FakeInstagram({NAME: profile}, answers=found if found is not None else answers())


def state(assets: Connection, task: Task) -> tuple[str, str, str | None]:
    """The blog's state, the task's, and its outcome."""
    row = task_now(assets, task)
    [status] = rows(assets, "select scrape_status from blogs where id = %s", row["blog_id"])
    return status["scrape_status"], row["status"], row["outcome"]
