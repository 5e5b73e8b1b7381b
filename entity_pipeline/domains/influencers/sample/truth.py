"""The made-up bloggers of the sample, from which the stand-ins answer and the expected results are computed.

None of them exists: every username ends in ``madeup``. `data/README.md` describes the columns.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from entity_pipeline.domains.influencers.models import Trend
from entity_pipeline.sandbox.instagram_profiles import former_pk_of, pk_of

Begin = Literal["hand", "tag", "stored", "refused", "unasked"]
SHOWN = 20  # posts, where the row says nothing else
HASHTAGS: Mapping[str, str] = {"ko": "달토끼맛집", "ru": "тюльпанныйгород"}


@dataclass(frozen=True, slots=True)
class Blogger:
    """One row.

    Attributes:
        er: The engagement of an ordinary post in percent of the followers.
        begins: How the pipeline learns of it: named by ``hand``, found by a ``tag``, ``stored`` long ago; ``refused``
            people stand in a tag and are not taken; ``unasked`` ones are strangers.
        top: The hashtags (by language) of which one of its posts is a top post, once for each.
        per_week: Posts in a week.
        reels: Every n-th post is a reel; 0: none.
        former: The username in the database, where it has changed since.
        instagram: What always happens to it; `instagram_bad`: what happens to its first requests.
        gemini: How Gemini answers about it; empty is well.
    """

    username: str
    language: str
    full_name: str
    biography: str
    followers: int
    topic: str
    er: float
    begins: Begin
    also: Sequence[str] = ()
    facts: Sequence[str] = ()
    flags: frozenset[str] = frozenset()
    top: Sequence[str] = ()
    posts: int = SHOWN
    per_week: float = 2.0
    trend: Trend = "stable"
    reels: int = 3
    hidden: Literal["none", "half", "all"] = "none"
    pinned: int = 0
    highlights: int = 0
    category: str | None = None
    collab: str | None = None
    former: str | None = None
    scraped_days_ago: int = 0
    seen_missing_hours_ago: int = 0
    instagram: str = ""
    instagram_bad: Sequence[str] = ()
    gemini: str = ""

    @property
    def pk(self) -> int:
        """The numeric id at Instagram, which a rename keeps."""
        return former_pk_of(self.former) if self.former else pk_of(self.username)

    @property
    def is_scraped(self) -> bool:
        """Whether the pipeline is to have its posts at the end."""
        return self.begins in ("hand", "tag", "stored") and not self.instagram


@cache
def bloggers() -> Mapping[str, Blogger]:
    """Every blogger by username, in the order of the file."""
    return {row["username"]: _blogger(row) for row in _data("bloggers.json")}


@cache
def captions() -> Mapping[str, Any]:
    """``{"topics": {language: {topic: [...]}}, "facts": {language: {fact: text}}, "tags": {language: [...]}}``"""
    texts: Mapping[str, Any] = _data("captions.json")
    return texts


def beginning(*begins: Begin) -> Iterator[Blogger]:
    """The bloggers of which the pipeline learns in one of these ways."""
    return (blogger for blogger in bloggers().values() if blogger.begins in begins)


def _blogger(row: Mapping[str, Any]) -> Blogger:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in row.items()
        if name != "note"
    }
    [values["begins"]] = values["begins"]
    if values["begins"] not in get_args(Begin):
        raise ValueError(f"{row['username']} begins as '{values['begins']}'")
    values["flags"] = frozenset(row.get("flags", ()))
    return Blogger(**values)


def _data(name: str) -> Any:
    folder = files("entity_pipeline.domains.influencers.sample").joinpath("data")
    return json.loads(folder.joinpath(name).read_text(encoding="utf-8"))
