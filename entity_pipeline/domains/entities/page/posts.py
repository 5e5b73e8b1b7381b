"""The posts that tag an account, as people recognise them: the day, the first words, a link."""

import re
from collections.abc import Iterable, Sequence
from uuid import UUID

from psycopg import Connection

from entity_pipeline.domains.entities.page.account_values import PostFigures
from entity_pipeline.domains.entities.page.queries.account import tagging_posts

_CAPTION_LETTERS = 90
_SHORTCODE = re.compile(r"[A-Za-z0-9_-]{5,40}", re.ASCII)


def posts_of(connection: Connection, ids: Sequence[str]) -> list[PostFigures]:
    """The posts with these ids that still exist, newest first."""
    known = list(_readable(ids))
    return [
        PostFigures(
            collected_at=post.collected_at,
            address=f"https://www.instagram.com/p/{post.external_id}/"
            if _SHORTCODE.fullmatch(post.external_id)
            else None,
            words=_first_words(post.caption),
        )
        for post in (tagging_posts(connection, known) if known else [])
    ]


def _readable(ids: Sequence[str]) -> Iterable[UUID]:
    for post_id in ids:
        try:
            yield UUID(post_id)
        except ValueError:
            continue


def _first_words(caption: str | None) -> str | None:
    words = " ".join((caption or "").split())
    if len(words) <= _CAPTION_LETTERS:
        return words or None
    return words[:_CAPTION_LETTERS].rsplit(" ", 1)[0] + " …"
