"""One write of each kind that the domain makes, through the functions of its stages; see `core/trials.py`.

Each trial makes the blog and the task that it needs, so that one refusal does not hide the next.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.trials import TRIAL_HANDLE, Trial
from entity_pipeline.domains.influencers.discovery.logic.progress import Counts
from entity_pipeline.domains.influencers.discovery.queries.discoveries import add_discovery
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.erasure.queries.person import remove
from entity_pipeline.domains.influencers.erasure.queries.tombstones import keep_out
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.insights.logic.categories import Matched
from entity_pipeline.domains.influencers.insights.queries.categories import (
    load_categories,
    replace_categories,
)
from entity_pipeline.domains.influencers.insights.queries.insights import store_description
from entity_pipeline.domains.influencers.models import ScrapeStatus
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Outcome
from entity_pipeline.domains.influencers.scraping.logic.highlight_rows import StoriesRow, TrayRow
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures
from entity_pipeline.domains.influencers.scraping.logic.post_rows import PostRow
from entity_pipeline.domains.influencers.scraping.queries.blog import set_measures, set_status, store_profile
from entity_pipeline.domains.influencers.scraping.queries.posts import store_posts, store_stories, store_tray
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline.shared.trials import ledger_trials

_NUMBER = 2**62 + 1  # no account, post or highlight has it
# A claim would take other tasks, which another run may want at this moment.
_HOLD = """
update scrape_tasks set status = 'running', lease_owner = %(owner)s,
  lease_until = clock_timestamp() + interval '1 minute',
  fence = fence + 1, attempts = attempts + 1, started_at = clock_timestamp()
where id = %(id)s
"""


def _asked(connection: Connection[Any]) -> tuple[UUID, int]:
    """A blog that a person asked for, and its task."""
    asked = ask_for_blogs(connection, [TRIAL_HANDLE])[0]
    assert asked.blog_id is not None
    assert asked.task_id is not None
    return asked.blog_id, asked.task_id


def _held(connection: Connection[Any]) -> tuple[UUID, Task]:
    """The same with the task at work."""
    blog_id, task_id = _asked(connection)
    connection.execute(_HOLD, {"owner": TRIAL_HANDLE, "id": task_id})
    return blog_id, STORE.find(connection, [task_id])[0]


def _task(connection: Connection[Any]) -> None:
    _, task = _held(connection)
    STORE.extend(connection, [task])
    STORE.note_steps(connection, task, {"doctor": TRIAL_HANDLE})
    STORE.finish(connection, task, Outcome.UNCHANGED)


def _profile(connection: Connection[Any]) -> None:
    blog_id, task = _held(connection)
    trip = FencedTrip(STORE, connection, task)
    profile = InstagramProfile(
        instagram_id=str(_NUMBER),
        username=TRIAL_HANDLE,
        display_name="Doctor",
        bio="Doctor",
        picture_url="https://doctor.invalid/a.jpg",
        follower_count=1,
        external_urls=["https://doctor.invalid/"],
    )
    store_profile(trip, blog_id, profile)
    set_measures(trip, blog_id, Measures(Decimal(1), Decimal(1), "stable", Decimal(1), {}))
    set_status(trip, blog_id, ScrapeStatus.ACTIVE)
    trip.go()


def _posts(connection: Connection[Any]) -> None:
    blog_id, task = _held(connection)
    trip = FencedTrip(STORE, connection, task)
    store_posts(trip, blog_id, [_post()])
    trip.go()


def _highlights(connection: Connection[Any]) -> None:
    blog_id, task = _held(connection)
    trip = FencedTrip(STORE, connection, task)
    store_tray(trip, blog_id, [TrayRow(_NUMBER, "Doctor", 1, "https://doctor.invalid/a.jpg")])
    store_stories(
        trip, blog_id, [StoriesRow(_NUMBER, [TRIAL_HANDLE], ["Doctor"], ["https://doctor.invalid/"])]
    )
    trip.go()


def _insights(connection: Connection[Any]) -> None:
    blog_id, task = _held(connection)
    trip = FencedTrip(STORE, connection, task)
    store_description(trip, blog_id, {"confidence": 0.5}, 0.5, {"doctor": TRIAL_HANDLE})
    trip.go()


def _categories(connection: Connection[Any]) -> None:
    blog_id, _ = _asked(connection)
    known = load_categories(connection)
    found = {next(iter(known.exact.values())): True} if known.exact else {}
    replace_categories(connection, {blog_id: Matched(found, ())})


def _search(connection: Connection[Any]) -> None:
    add_discovery(connection, TRIAL_HANDLE, Counts(posts=1, people=1, known=0, refused=0, added=1))


def _erasure(connection: Connection[Any]) -> None:
    blog_id, _ = _asked(connection)
    keep_out(connection, hashes(_NUMBER, TRIAL_HANDLE), "doctor")
    person = connection.execute("select person_id from blogs where id = %s", [blog_id]).fetchone()
    assert person is not None
    remove(connection, person)


def _post() -> PostRow:
    return PostRow(
        platform_id=_NUMBER,
        code="doctor",
        caption_text="Doctor",
        hashtags=["doctor"],
        mentions=[TRIAL_HANDLE],
        like_count=1,
        likes_hidden=False,
        comment_count=1,
        play_count=1,
        plays_known=True,
        media_type="video",
        product_type="clips",
        duration_s=1.5,
        thumbnail_url="https://doctor.invalid/a.jpg",
        location_id=1,
        location_name="Doctor",
        location_lat=1.5,
        location_lng=1.5,
        is_pinned=False,
        is_paid_partnership=True,
        sponsors=[TRIAL_HANDLE],
        coauthors=[_NUMBER],
        taken_at=datetime.now(UTC),
    )


TRIALS = (
    Trial("assets", "blogs", "a blog that a person asked for", _asked),
    Trial("assets", "scrape_tasks", "the end of a task", _task),
    Trial("assets", "blogs", "a profile with its measures", _profile),
    Trial("assets", "blog_posts", "a post", _posts),
    Trial("assets", "blog_highlights", "a highlight", _highlights),
    Trial("assets", "blogs", "the insights of a blog", _insights),
    Trial("assets", "blog_categories", "the categories of a blog", _categories),
    Trial("assets", "hashtag_discoveries", "a search for a hashtag", _search),
    Trial("assets", "erased_people", "the removal of a person", _erasure),
    *ledger_trials(STEP),
)
