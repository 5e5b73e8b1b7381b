"""What tasks are about: the usernames of blogs by their ids."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psycopg import Connection

_USERNAMES = "select id, username from blogs where id = any(%s)"


def usernames(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, str]:
    """The usernames of the blogs that are still there."""
    return dict(connection.execute(_USERNAMES, [list(ids)]).fetchall())
