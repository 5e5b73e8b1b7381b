"""A total time limit for a call whose own limits apply to each read only, which a slow server never exceeds."""

from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, if it ends within `limit_s` seconds.

    A call that takes longer is abandoned in a daemon thread and its outcome dropped, so it must own whatever it
    holds.

    Raises:
        TimeoutError: the limit has passed.
    """
    outcome: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def act() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is the caller's, below
            outcome.put((None, error))

    Thread(target=copy_context().run, args=(act,), name="within", daemon=True).start()
    try:
        value, error = outcome.get(timeout=limit_s)
    except Empty:
        raise TimeoutError(f"the call did not end within {limit_s:g} s") from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
