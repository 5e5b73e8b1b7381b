"""The blog of a scrape: its row when the work begins, its profile, its measures, its state.

Every statement is part of a `FencedTrip`, and writes only what differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import PLATFORM, ScrapeStatus
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures
from entity_pipeline.shared.database.round_trip import RoundTripAnswer
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip

# A former state that is `scraping` was left by a worker that was lost.
_NOTE_FORMER_STATE = """
update {table} t set steps = t.steps || jsonb_build_object('was', case
    when b.scrape_status <> 'scraping' then b.scrape_status when b.scraped_at is null then 'pending' else 'active' end)
from blogs b
where t.id = %(task)s and b.id = t.blog_id and t.steps -> 'was' is null and {held}
"""
_SET_STATUS = """
update blogs set scrape_status = %(status)s, updated_at = clock_timestamp()
where id = %(blog)s and scrape_status <> %(status)s and {held}
"""
_READ = """
select b.id, b.username, b.platform_id, b.follower_count, b.scraped_at is not null as was_scraped, b.sightings, t.steps
from blogs b join {table} t on t.id = %(task)s
where b.id = %(blog)s and {held}
"""
_SCRAPED = """
update blogs set scrape_status = %(status)s, scraped_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(blog)s and {held}
"""
_SIGHTINGS = """
update blogs set sightings = %(sightings)s::jsonb, updated_at = clock_timestamp()
where id = %(blog)s and sightings <> %(sightings)s::jsonb and {held}
"""
_MEASURES = """
update blogs
set er = %(er)s, er_reels = %(er_reels)s, er_trend = %(er_trend)s, posts_per_week = %(posts_per_week)s,
  metrics = %(metrics)s::jsonb, updated_at = clock_timestamp()
where id = %(blog)s and {held} and (er, er_reels, er_trend, posts_per_week, metrics)
  is distinct from (%(er)s, %(er_reels)s, %(er_trend)s, %(posts_per_week)s, %(metrics)s::jsonb)
"""
# An erasure, which writes there first, is either seen by the next statement or begins after this transaction.
_LOCK_ERASED = "lock table erased_people in share mode"
_REMOVE_ERASED = """
delete from persons p using blogs b
where b.id = %(blog)s and p.id = b.person_id and {held}
  and exists (select from erased_people where platform = %(platform)s and subject_hash = any(%(hashes)s))
returning p.id
"""
_NAME_PERSON = """
update persons p set full_name = %(full_name)s
from blogs b
where b.id = %(blog)s and p.id = b.person_id and p.full_name is null and %(full_name)s::text is not null and {held}
"""
# A count or a flag that the profile does not show stays as it was; a text that it does not show was removed.
_PROFILE = """
update blogs b
set username = n.username, platform_id = n.platform_id, full_name = n.full_name, biography = n.biography,
  avatar_url = n.avatar_url, follower_count = n.follower_count, following_count = n.following_count,
  media_count = n.media_count, is_verified = n.is_verified, is_business = n.is_business,
  business_category = n.business_category, external_url = n.external_url, updated_at = clock_timestamp()
from (
  select case when exists (
      select from blogs o where o.platform = o_.platform and o.username = %(username)s and o.id <> o_.id
    ) then o_.username else %(username)s end as username,
    %(platform_id)s::bigint as platform_id, %(full_name)s::text as full_name, %(biography)s::text as biography,
    coalesce(%(avatar_url)s, o_.avatar_url) as avatar_url,
    coalesce(%(follower_count)s, o_.follower_count) as follower_count,
    coalesce(%(following_count)s, o_.following_count) as following_count,
    coalesce(%(media_count)s, o_.media_count) as media_count,
    coalesce(%(is_verified)s, o_.is_verified) as is_verified,
    coalesce(%(is_business)s, o_.is_business) as is_business,
    %(business_category)s::text as business_category, %(external_url)s::text as external_url
  from blogs o_ where o_.id = %(blog)s
) n
where b.id = %(blog)s and {held} and
  (b.username, b.platform_id, b.full_name, b.biography, b.avatar_url, b.follower_count, b.following_count,
    b.media_count, b.is_verified, b.is_business, b.business_category, b.external_url)
  is distinct from
  (n.username, n.platform_id, n.full_name, n.biography, n.avatar_url, n.follower_count, n.following_count,
    n.media_count, n.is_verified, n.is_business, n.business_category, n.external_url)
"""
_COUNTS = """
update blogs b
set follower_count = n.followers, following_count = n.following, media_count = n.medias, updated_at = clock_timestamp()
from (
  select coalesce(%(followers)s, o.follower_count) as followers,
    coalesce(%(following)s, o.following_count) as following, coalesce(%(medias)s, o.media_count) as medias
  from blogs o where o.id = %(blog)s
) n
where b.id = %(blog)s and {held}
  and (b.follower_count, b.following_count, b.media_count) is distinct from (n.followers, n.following, n.medias)
"""


@dataclass(frozen=True, slots=True)
class StoredBlog:
    """The blog as it is when work on it begins, and what its task has noted."""

    id: UUID
    username: str
    platform_id: int | None
    follower_count: int | None
    was_scraped: bool
    sightings: Any
    steps: Mapping[str, Any]

    @property
    def former_status(self) -> ScrapeStatus:
        """Its state before the task."""
        return ScrapeStatus(self.steps.get("was", ScrapeStatus.PENDING))


def ask_begun(trip: FencedTrip, task_id: int, blog_id: UUID) -> RoundTripAnswer[StoredBlog | None]:
    """Mark the blog as being scraped and read it; None if it is gone. Its former state is noted once."""
    values = {"task": task_id, "blog": blog_id}
    trip.add(_NOTE_FORMER_STATE, values)
    set_status(trip, blog_id, ScrapeStatus.SCRAPING)
    return trip.ask(_READ, values, lambda rows: StoredBlog(**rows[0]) if rows else None)


def set_status(trip: FencedTrip, blog_id: UUID, status: ScrapeStatus) -> None:
    """The state of the blog."""
    trip.add(_SET_STATUS, {"blog": blog_id, "status": status})


def set_scraped(trip: FencedTrip, blog_id: UUID, status: ScrapeStatus) -> None:
    """The same at the end of a scrape, and that it was scraped now."""
    trip.add(_SCRAPED, {"blog": blog_id, "status": status})


def set_sightings(trip: FencedTrip, blog_id: UUID, sightings: Sequence[Mapping[str, Any]]) -> None:
    """The looks that did not find it."""
    trip.add(_SIGHTINGS, {"blog": blog_id, "sightings": jsonb_text(sightings)})


def set_measures(trip: FencedTrip, blog_id: UUID, measures: Measures) -> None:
    """The measures, and what they rest on."""
    trip.add(_MEASURES, {"blog": blog_id, **measure_columns(measures)})


def measure_columns(measures: Measures) -> dict[str, Any]:
    """The measures by their columns."""
    return {
        "er": measures.er,
        "er_reels": measures.er_reels,
        "er_trend": measures.er_trend,
        "posts_per_week": measures.posts_per_week,
        "metrics": jsonb_text(measures.metrics),
    }


def store_profile(trip: FencedTrip, blog_id: UUID, profile: InstagramProfile) -> RoundTripAnswer[bool]:
    """The columns of the profile. True: the person was erased, and the blog with its tasks is removed instead.

    A username that another blog still has is not taken over: that blog's own scrape will find out who it is.

    Raises:
        psycopg.errors.UniqueViolation: by `blogs_platform_id`, when the round trip is made: another blog is the same
            person's.
    """
    pk = int(profile.instagram_id)
    values = {
        "blog": blog_id,
        "platform": PLATFORM,
        "hashes": list(hashes(pk, profile.username)),
        "username": profile.username,
        "platform_id": pk,
        "full_name": profile.display_name,
        "biography": profile.bio,
        "avatar_url": profile.picture_url,
        "follower_count": profile.follower_count,
        "following_count": profile.following_count,
        "media_count": profile.media_count,
        "is_verified": profile.is_verified,
        "is_business": profile.is_business,
        "business_category": profile.category,
        "external_url": next(iter(profile.external_urls), None),
    }
    trip.add(_LOCK_ERASED, {})
    is_erased = trip.ask(_REMOVE_ERASED, values, bool)
    trip.add(_NAME_PERSON, values)
    trip.add(_PROFILE, values)
    return is_erased


def store_counts(trip: FencedTrip, blog_id: UUID, profile: InstagramProfile) -> None:
    """The counts that the profile shows."""
    values = {
        "blog": blog_id,
        "followers": profile.follower_count,
        "following": profile.following_count,
        "medias": profile.media_count,
    }
    trip.add(_COUNTS, values)
