"""The operation `reels`: one page of a profile's reels, the sure source of plays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from entity_pipeline.core.instagram.operations import Operation


@dataclass(frozen=True, slots=True)
class Reel:
    """A tile of the tab. It has neither time nor caption; a number that is not shown is None."""

    pk: int
    code: str
    play_count: int | None = None
    like_count: int | None = None
    likes_hidden: bool = False
    comment_count: int | None = None
    pinned_by: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ReelsPage:
    """Reels in the order of the tab, pinned ones first; also those hidden from the grid. Empty where none are shown.

    `unread` counts tiles that could not be read; `more` says whether there are older ones, None when not said.
    """

    reels: Sequence[Reel]
    unread: int = 0
    more: bool | None = None


@dataclass(frozen=True, slots=True)
class ReelsLook(Operation[ReelsPage]):
    """The first page of the reels of the profile with this pk. `username` is only named as where we come from."""

    name: ClassVar[str] = "reels"
    pk: int
    username: str

    @property
    def target(self) -> str:
        """The pk."""
        return str(self.pk)
