"""The operations `highlights` and `highlight_items`: the tray of a profile, and the stories in up to five of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.post import MediaKind, NamedUser, Place

MOST_HIGHLIGHTS = 5  # per request; larger ones fail on Instagram's side


@dataclass(frozen=True, slots=True)
class Highlight:
    """One entry of the tray. `cover_url` is signed and expires within days; `created_at` is UTC."""

    pk: int
    title: str | None = None
    media_count: int | None = None
    cover_url: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HighlightTray:
    """All highlights, in the profile's order; empty where none are shown. `unread` could not be read."""

    highlights: Sequence[Highlight]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """One story. None as a list means that the answer does not say; an empty one, that there are none.

    `links` are the addresses behind the stickers, freed of Instagram's redirect and of its click id.
    """

    pk: int
    taken_at: datetime
    kind: MediaKind | None = None
    mentions: Sequence[NamedUser] | None = None
    links: Sequence[str] | None = None
    places: Sequence[Place] | None = None
    hashtags: Sequence[str] | None = None
    thumbnail_url: str | None = None


@dataclass(frozen=True, slots=True)
class HighlightStories:
    """The stories of one highlight."""

    pk: int
    title: str | None
    stories: Sequence[Story]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class HighlightsRead:
    """The highlights of one answer, and the pks that were asked for and are not in it."""

    highlights: Sequence[HighlightStories]
    missing: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class HighlightsLook(Operation[HighlightTray]):
    """The tray of the profile with this pk."""

    name: ClassVar[str] = "highlights"
    pk: int

    @property
    def target(self) -> str:
        """The pk."""
        return str(self.pk)


@dataclass(frozen=True, slots=True)
class HighlightItems(Operation[HighlightsRead]):
    """The stories of one to five highlights, by their pks; NOT_FOUND when none of them is there."""

    name: ClassVar[str] = "highlight_items"
    pks: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.pks) <= MOST_HIGHLIGHTS:
            raise ValueError(f"1 to {MOST_HIGHLIGHTS} highlights fit a request, not {len(self.pks)}")

    @property
    def target(self) -> str:
        """The pks."""
        return ",".join(map(str, self.pks))
