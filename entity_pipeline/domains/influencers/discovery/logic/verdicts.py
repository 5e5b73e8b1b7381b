"""What one answer about a new person means: taken in, refused, or not answered yet."""

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.discovery.logic.progress import Seen
from entity_pipeline.domains.influencers.settings import InfluencerSettings

_WORDS = {
    Finding.PRIVATE: Seen.PRIVATE,
    Finding.RESTRICTED: Seen.RESTRICTED,
    Finding.DRIFT: Seen.UNREADABLE,
}


def verdict(result: Result[InstagramProfile], settings: InfluencerSettings) -> Seen | None:
    """What is known of the person; ADDED when they are to be taken in, None when the answer says nothing of them.

    "Not found" counts with a canary that was found; nothing is deleted by it. Unknown counts are too few: they are
    public for every profile that can be taken in.
    """
    if result.value is not None:
        return _judged(result.value, settings)
    if result.finding is Finding.NOT_FOUND:
        return Seen.GONE if result.canary else None
    return _WORDS.get(result.finding)


def _judged(profile: InstagramProfile, settings: InfluencerSettings) -> Seen:
    if profile.is_private:
        return Seen.PRIVATE
    if (profile.follower_count or 0) < settings.min_followers:
        return Seen.TOO_FEW_FOLLOWERS
    if (profile.media_count or 0) < settings.min_posts:
        return Seen.TOO_FEW_POSTS
    return Seen.ADDED
