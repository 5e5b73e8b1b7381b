"""Instagram behind the port `core.profiles.InstagramAccess`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from entity_pipeline.core.instagram.access import (
    InstagramWindows,
    Picture,
    PictureRefused,
    ProfileFetch,
    ProfileOutcome,
)


class FakeInstagram:
    """Profiles by username and pictures by URL; who is not named is not found.

    A sequence of fetches is used up in order. `looked_at` and `downloaded` tell what was asked for, `looked_at_as`
    by which accounts of the pool.
    `meanwhile` is called during each look, for what happens at the same time elsewhere.
    """

    def __init__(
        self,
        profiles: Mapping[str, ProfileFetch | Sequence[ProfileFetch]] | None = None,
        pictures: Mapping[str, Picture | PictureRefused] | None = None,
        meanwhile: Callable[[str], object] = lambda username: None,
    ) -> None:
        self._profiles = {
            name: [found] if isinstance(found, ProfileFetch) else list(found)
            for name, found in (profiles or {}).items()
        }
        self._pictures = pictures or {}
        self._meanwhile = meanwhile
        self.looked_at: list[str] = []
        self.looked_at_as: list[str] = []
        self.downloaded: list[str] = []

    def fetch_profile(self, username: str, *, windows: InstagramWindows, deadline: datetime) -> ProfileFetch:
        self.looked_at.append(username)
        self._meanwhile(username)
        left = self._profiles.get(username, [])
        if not left:
            return ProfileFetch(ProfileOutcome.NOT_FOUND, detail="HTTP 404", source="anonymous:direct")
        return left.pop(0) if len(left) > 1 else left[0]

    def fetch_profile_as(
        self, account: str, username: str, *, windows: InstagramWindows, deadline: datetime
    ) -> ProfileFetch:
        self.looked_at_as.append(account)
        return self.fetch_profile(username, windows=windows, deadline=deadline)

    def fetch_picture(self, url: str) -> Picture | PictureRefused:
        self.downloaded.append(url)
        return self._pictures.get(url, PictureRefused("not_there"))
