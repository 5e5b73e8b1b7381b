"""Waiting out a database that is away for a moment: what was paid for must still be written down."""

import time
from collections.abc import Callable
from typing import TypeVar

from entity_pipeline.core.failures import DatabaseUnavailable

T = TypeVar("T")


def patiently(
    action: Callable[[], T], *, patience_s: float = 30.0, sleep: Callable[[float], object] = time.sleep
) -> T:
    """Repeat an idempotent action while the database is away, with pauses of `patience_s` seconds in all.

    What the attempts themselves take comes on top.

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
