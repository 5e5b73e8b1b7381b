"""The expected results, computed from the sample's truth and never from a run.

The measures are written out here a second time, after the same facts, so that a mistake in a formula shows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from entity_pipeline.domains.influencers.sample.gemini_answers import said
from entity_pipeline.domains.influencers.sample.scripts import posts_of, top_posts
from entity_pipeline.domains.influencers.sample.truth import Blogger, beginning, bloggers
from entity_pipeline.sandbox.instagram_scripts import ScriptedPost

PAGE = 20  # posts of a scrape
_HIGHLIGHTS_OF_A_REQUEST = 5
_REFUSES = "safety"
_UNREADABLE = "unreadable"  # each time, or once
_LOST_ONCE = frozenset({"missing_once", "doubled_once", "broken_once"})


@dataclass(frozen=True, slots=True)
class ExpectedBlog:
    """The row of a blog at the end, and of what belongs to it.

    `insights` is ``described``, ``refused``, ``unreadable`` or, where none are asked for, ``none``. Of a blog that is
    not scraped only the status counts; `outcome` is that of its last scrape.
    """

    username: str
    status: str
    outcome: str | None = None
    posts: int = 0
    highlights: int = 0
    hidden: int = 0
    er: float | None = None
    er_reels: float | None = None
    er_trend: str | None = None
    posts_per_week: float | None = None
    insights: str = "none"
    category: str | None = None
    statements: Mapping[str, Any] | None = None


def expected_blogs(day: datetime) -> Mapping[str, ExpectedBlog]:
    """Every blog by its username at the end; `day` is the midnight from which ages count."""
    return {blogger.username: _blog(blogger, day) for blogger in _scraped()} | _not_scraped()


def expected_statuses(day: datetime) -> Counter[str]:
    """Blogs by status."""
    return Counter(blog.status for blog in expected_blogs(day).values())


def expected_discoveries() -> Mapping[str, Mapping[str, int]]:
    """The row of `hashtag_discoveries` of each tag. A person who stands in both is new to the first one alone."""
    found: dict[str, dict[str, int]] = {}
    known = {blogger.username for blogger in beginning("hand", "stored")}
    for tag, posts in top_posts().items():
        people = {username for username, _ in posts}
        added = {username for username in people - known if bloggers()[username].begins == "tag"}
        found[tag] = {
            "posts": len(posts),
            "people": len(people),
            "known": len(people & known),
            "refused": len(people - known - added),
            "added": len(added),
        }
        known |= added
    return found


def expected_questions() -> Counter[str]:
    """The rows of the ledger by state: answered ones are ``settled``, readable or not; of lost answers it is not known
    what they said (``unknown``), and an error costs nothing (``failed``)."""
    counted: Counter[str] = Counter()
    for blogger in _scraped():
        counted["settled"] += 2 if blogger.gemini.startswith(_UNREADABLE) else 1
        counted["unknown"] += blogger.gemini in _LOST_ONCE
        counted["failed"] += blogger.gemini == "error_once"
    return counted


def page_of(blogger: Blogger, day: datetime) -> Sequence[ScriptedPost]:
    """The posts of one page of its timeline: pinned ones first, those that it is a co-author of among the others."""
    guests = [
        post
        for one in bloggers().values()
        for post in posts_of(one, day)
        if blogger.username in post.coauthors
    ]
    newest = sorted([*posts_of(blogger, day), *guests], key=lambda post: (not post.pinned, -post.taken_at))
    return newest[:PAGE]


def requests_of(blogger: Blogger, day: datetime) -> int:
    """Requests of one scrape as the pipeline makes it, without bad days."""
    page = page_of(blogger, day)
    reels_tab = any(post.kind == "reel" and not post.plays_on_grid for post in page)
    return 3 + reels_tab + ceil(blogger.highlights / _HIGHLIGHTS_OF_A_REQUEST)


def naive_requests_of(blogger: Blogger, day: datetime) -> int:
    """Requests of the same by Instaloader's documented methods, as counted against an emulator.

    The profile page 1; the iterator's metadata, tokens and first page 3, each further page of 12 posts 1; the comment
    count of each post 1; the highlights 1, and 2 for each highlight: 40 for 20 posts and 7 highlights.
    """
    posts = len(page_of(blogger, day))
    return 1 + 3 + max(0, ceil(posts / 12) - 1) + posts + 1 + 2 * blogger.highlights


def _blog(blogger: Blogger, day: datetime) -> ExpectedBlog:
    page = page_of(blogger, day)
    counted = [post for post in page if _is_in_window(post, day) and post.likes is not None]
    reels = [post for post in counted if post.kind == "reel"]
    described = blogger.gemini not in (_REFUSES, _UNREADABLE)
    insights = {_REFUSES: "refused", _UNREADABLE: "unreadable"}.get(blogger.gemini, "described")
    return ExpectedBlog(
        blogger.username,
        "active",
        posts=len(page),
        highlights=blogger.highlights,
        hidden=sum(post.likes is None for post in page),
        er=_rate(counted, blogger.followers),
        er_reels=_rate(reels, blogger.followers),
        er_trend=_trend(counted),
        posts_per_week=_per_week(page, day),
        insights=insights,
        category=_category(blogger) if described else None,
        statements=said(blogger) if described else None,
    )


def _not_scraped() -> dict[str, ExpectedBlog]:
    """Those whose scrape ends otherwise. Not found once proves nothing, so that one waits for a second look."""
    ends = {
        "inner.garden.madeup": ("private", "private"),
        "closed.shop.madeup": ("deleted", "deleted"),
        "never.seen.madeup": ("pending", None),
    }
    found = {name: ExpectedBlog(name, status, outcome) for name, (status, outcome) in ends.items()}
    # The stored username stays, because no other one is known.
    [gone] = [blogger for blogger in bloggers().values() if blogger.former and blogger.instagram]
    assert gone.former is not None
    return {
        **found,
        gone.former: ExpectedBlog(gone.former, "deleted", "renamed_away"),
    }


def _scraped() -> Sequence[Blogger]:
    return [blogger for blogger in bloggers().values() if blogger.is_scraped]


def _is_in_window(post: ScriptedPost, day: datetime) -> bool:
    age = day.timestamp() - post.taken_at
    return not post.pinned and timedelta(days=2).total_seconds() <= age <= timedelta(days=90).total_seconds()


def _engagement(post: ScriptedPost) -> int:
    return (post.likes or 0) + post.comments


def _rate(posts: Sequence[ScriptedPost], followers: int) -> float | None:
    if len(posts) < 5:
        return None
    return round(median(map(_engagement, posts)) * 100 / followers, 2)


def _trend(posts: Sequence[ScriptedPost]) -> str | None:
    newest = sorted(posts, key=lambda post: -post.taken_at)
    half = len(newest) // 2
    if half < 4:
        return None
    ratio = median(map(_engagement, newest[:half])) / median(map(_engagement, newest[half:]))
    return "growing" if ratio > 1.15 else "declining" if ratio < 0.87 else "stable"


def _per_week(page: Sequence[ScriptedPost], day: datetime) -> float | None:
    ages = sorted((day.timestamp() - post.taken_at) / 86_400 for post in page if not post.pinned)
    if len(ages) < 2:
        return None
    if ages[-1] >= 28:
        return sum(age < 28 for age in ages) / 4
    return round(7 * (len(ages) - 1) / (ages[-1] - ages[0]), 2)


def _category(blogger: Blogger) -> str | None:
    return None if blogger.gemini == "unknown_topic" else blogger.topic
