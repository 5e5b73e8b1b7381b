"""The pictures of blogs: fetched soon after the scrape, because their addresses expire, and stored under their hash.

A picture that can't be had is left out. A bucket that refuses everything holds pictures back and nothing else. For a
question they are copied to a folder first, so that a batch is neither held in memory nor fails halfway over a picture.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from entity_pipeline.core.failures import (
    ConfigurationFailure,
    ObjectRefused,
    PipelineFailure,
    TransientFailure,
)
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.picture import PictureDownload
from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.jsonb import json_text
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.logic.blog_facts import BlogFacts
from entity_pipeline.domains.influencers.insights.queries.pictures import (
    note_avatar,
    note_thumbnail,
    unused_pictures,
)
from entity_pipeline.domains.influencers.insights.reencode import CONTENT_TYPE, reencoded

PREFIX = "influencers/pictures"
AVATAR = "avatar"
_GIVE_UP_AFTER = 3  # failed uploads in a run


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that belongs to a question: of the post with the code `of`, or the avatar.

    `url` is None where nothing is to be fetched, `key` where nothing is stored.
    """

    of: str
    url: str | None
    key: str | None

    @property
    def name(self) -> str:
        """The address without its host and signature, which change although the picture doesn't."""
        return _name(self.url)


def wanted(blog: BlogFacts, most: int) -> list[Wanted]:
    """The avatar, then the pictures of the newest posts; at most `most`."""
    was_tried = json_text(blog.insights_meta.get("avatar_name")) == _name(blog.avatar_url)
    found = [Wanted(AVATAR, None if was_tried else blog.avatar_url, blog.avatar_key)]
    found += [
        Wanted(post.code, None if post.thumbnail_key else post.thumbnail_url, post.thumbnail_key)
        for post in blog.posts
    ]
    return [one for one in found if one.url or one.key][:most]


def _name(url: str | None) -> str:
    try:
        return urlsplit(url or "").path[-300:]
    except ValueError:
        return ""


@dataclass
class PictureKeeper:
    """Fetches and stores the pictures of one run. `held_because` is why no more are stored; empty while they are."""

    session: InstagramSession
    store: ObjectStore
    database: Database
    deadline: datetime
    outcomes: Counter[str] = field(default_factory=Counter)
    held_because: str = ""
    _failures: int = 0

    def keep(self, blog: BlogFacts, most: int) -> None:
        """Fetch what is missing of a blog."""
        for one in wanted(blog, most):
            if self.held_because:
                return
            if one.url:
                self._keep_one(blog, one, one.url)

    def _keep_one(self, blog: BlogFacts, one: Wanted, url: str) -> None:
        ended = self.session.run(PictureDownload(url), self.deadline)
        if isinstance(ended, Deferred):
            self.outcomes[f"not_sent:{ended.reason.key}"] += 1
            self.held_because = str(ended.reason)
            return
        if ended.finding is Finding.UNANSWERED:
            self.outcomes[f"unanswered:{ended.detail}"] += 1
            return
        small = reencoded(ended.value.data) if ended.value is not None else None
        if small is None:
            self.outcomes[f"left_out:{ended.detail or 'not_an_image'}"] += 1
            self._note(blog, one, url, None)
            return
        key = self._stored(small)
        if key is not None:
            self._note(blog, one, url, key)

    def _stored(self, data: bytes) -> str | None:
        try:
            key = self.store.put(PREFIX, data, CONTENT_TYPE).key
        except ObjectRefused as failure:
            self.outcomes[f"not_stored:{failure}"] += 1
            return None
        except (TransientFailure, ConfigurationFailure) as failure:
            self.outcomes[f"not_stored:{failure}"] += 1
            self._failures += 1
            if isinstance(failure, ConfigurationFailure) or self._failures >= _GIVE_UP_AFTER:
                self.held_because = str(failure)
            return None
        self.outcomes["stored"] += 1
        return key

    def _note(self, blog: BlogFacts, one: Wanted, url: str, key: str | None) -> None:
        if one.of == AVATAR:
            patiently_on(self.database, lambda db: note_avatar(db, blog.id, url, one.name, key))
        else:
            patiently_on(self.database, lambda db: note_thumbnail(db, blog.id, one.of, url, key))
        if key is not None:
            self._discard_unused([key, one.key or key])

    def _discard_unused(self, keys: Sequence[str]) -> None:
        """No row leads to a replaced avatar, nor to a picture whose blog was erased while it was stored."""
        for key in patiently_on(self.database, lambda db: unused_pictures(db, keys)):
            try:
                self.store.delete(key)
            except PipelineFailure as failure:
                self.outcomes[f"not_deleted:{failure}"] += 1


@dataclass(frozen=True)
class Spool:
    """Copies of stored pictures in a folder of this run."""

    store: ObjectStore
    folder: Path

    def pictures(self, blog: BlogFacts, most: int) -> list[tuple[str, Picture]]:
        """The stored pictures of a blog, each with the code of its post or `AVATAR`; missing ones are left out.

        Raises:
            TransientFailure: the store can't be reached; a description without pictures would be a poor one.
        """
        return list(self._copied(blog, most))

    def _copied(self, blog: BlogFacts, most: int) -> Iterator[tuple[str, Picture]]:
        for one in wanted(blog, most):
            data = self._data(one.key)
            if data is None:
                continue
            made = Picture.of(data, CONTENT_TYPE)
            path = self.folder / made.sha256
            if not path.exists():
                path.write_bytes(data)
            yield one.of, Picture(made.mime_type, made.sha256, made.size, path.read_bytes)

    def _data(self, key: str | None) -> bytes | None:
        if key is None:
            return None
        try:
            return self.store.get(key)
        except TransientFailure:
            raise
        except PipelineFailure:
            return None
