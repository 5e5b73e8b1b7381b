"""Wait out a short outage of a database: a run should not end over it, and paid work must be kept.

Only idempotent actions may be repeated: reads, and writes that notice they are already done.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.ports import Database

T = TypeVar("T")


def patiently(
    action: Callable[[], T], *, patience_s: float = 30.0, sleep: Callable[[float], object] = time.sleep
) -> T:
    """Repeat an idempotent action while the database is away, with pauses of `patience_s` seconds in all.

    The time of the attempts comes on top.

    Raises:
        DatabaseUnavailable: it is still away.
    """
    waited, pause = 0.0, 0.25
    while True:
        try:
            return action()
        except DatabaseUnavailable:
            if waited >= patience_s:
                raise
            sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 5.0)


def patiently_on(
    database: Database, action: Callable[[Any], T], *, sleep: Callable[[float], object] = time.sleep
) -> T:
    """`action` on a connection of `database`, repeated as a whole on another one while it is away.

    Raises:
        DatabaseUnavailable: it is still away.
    """

    def act() -> T:
        with database.connection() as connection:
            return action(connection)

    return patiently(act, sleep=sleep)
