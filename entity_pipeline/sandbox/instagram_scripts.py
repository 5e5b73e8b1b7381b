"""An account that a sample describes in detail: its counts, posts and highlights, and its bad days.

Without a script, posts and counts are invented (`instagram_media.py`). Ages are in the sample, times here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["photo", "album", "reel"]


@dataclass(frozen=True, slots=True)
class ScriptedPost:
    """One post; `taken_at` in Unix seconds.

    Attributes:
        likes: None where the owner hides them.
        hidden_as: What the real service shows in their place: 3, -1 or null.
        plays: In all; `plays_on_grid` is False where only the reels tab shows them.
        coauthors, sponsors, tagged: Usernames.
        place: The name of the location.
    """

    taken_at: int
    kind: Kind
    caption: str | None
    likes: int | None
    comments: int
    hidden_as: int | None = 3
    plays: int | None = None
    plays_on_grid: bool = True
    pinned: bool = False
    paid: bool = False
    coauthors: tuple[str, ...] = ()
    sponsors: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()
    place: str | None = None


@dataclass(frozen=True, slots=True)
class ScriptedStory:
    """One story of a highlight; `old_form` is how answers named mentions and links before 2026."""

    taken_at: int
    mentions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    old_form: bool = False


@dataclass(frozen=True, slots=True)
class ScriptedHighlight:
    """One highlight with its stories."""

    title: str
    stories: tuple[ScriptedStory, ...]


@dataclass(frozen=True, slots=True)
class AccountScript:
    """What an account shows.

    `bad_days` are words of `instagram_standin`, of which the n-th request about the account meets the n-th; an empty
    one is a good answer. Requests for its pictures do not count.
    """

    followers: int
    following: int = 0
    is_verified: bool = False
    category: str | None = None
    posts: tuple[ScriptedPost, ...] = ()
    highlights: tuple[ScriptedHighlight, ...] = ()
    older_posts: int = 0  # that the counter of posts has besides
    bad_days: tuple[str, ...] = ()

    def bad_day(self, nth: int) -> str:
        """The word for the n-th request, from 1."""
        return self.bad_days[nth - 1] if nth <= len(self.bad_days) else ""


TopPosts = Sequence[tuple[str, int]]
"""The top posts of a hashtag, each as its author's username and its place among the author's posts, newest first."""
