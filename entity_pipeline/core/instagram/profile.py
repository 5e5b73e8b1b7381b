"""The operations `profile` and `profile_by_id`: fetch one profile, by its page or by its number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from entity_pipeline.core.instagram.operations import Operation

# A public account that is known to exist. A seat that can't find it proves nothing about other accounts.
CANARY = "instagram"
CANARY_PK = 25_025_320


@dataclass(frozen=True, slots=True)
class InstagramProfile:
    """The public fields of a profile page. `instagram_id` is the numeric `pk` as text; it outlives renames.

    `category` is the name that a professional account shows for its line of business.
    """

    instagram_id: str
    username: str
    display_name: str | None
    bio: str | None
    picture_url: str | None
    is_private: bool | None = None
    is_verified: bool | None = None
    follower_count: int | None = None
    external_urls: Sequence[str] = ()
    following_count: int | None = None
    media_count: int | None = None
    is_business: bool | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileLook(Operation[InstagramProfile]):
    """Look at the public profile of `username`, in any case."""

    name: ClassVar[str] = "profile"
    username: str

    @property
    def target(self) -> str:
        """The username in lower case."""
        return self.username.lower()


@dataclass(frozen=True, slots=True)
class ProfileById(Operation[InstagramProfile]):
    """Look at the profile with this pk under whatever username it has now; it needs an account of the pool."""

    name: ClassVar[str] = "profile_by_id"
    pk: int

    @property
    def target(self) -> str:
        """The pk."""
        return str(self.pk)
