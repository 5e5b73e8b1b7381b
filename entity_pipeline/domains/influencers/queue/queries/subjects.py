"""Tasks and the blogs that they are about."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psycopg import Connection

_USERNAMES = "select id, username from blogs where id = any(%s)"
_STATES = "select scrape_status, count(*)::int from blogs group by 1"
_NEWEST = "select id from scrape_tasks where blog_id = %s order by id desc limit %s"


def usernames(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, str]:
    """The usernames of the blogs that are still there."""
    wanted = list(set(ids))
    return dict(connection.execute(_USERNAMES, [wanted]).fetchall()) if wanted else {}


def newest_tasks(connection: Connection[Any], blog_id: UUID, most: int) -> list[int]:
    """The ids of the newest tasks of a blog."""
    return [row[0] for row in connection.execute(_NEWEST, [blog_id, most])]


def blogs_by_state(connection: Connection[Any]) -> dict[str, int]:
    """The number of blogs in each state that some are in."""
    return dict(connection.execute(_STATES).fetchall())
