"""An end to a call whose own time limits hold for each read: a server that drips its headers meets none of them."""

from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, if it ends within `limit_s` seconds.

    A call that does not is left to itself in a thread that does not keep the process from ending; its outcome
    is dropped. So whatever it holds must be its own.

    Raises:
        TimeoutError: it has not ended.
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
        raise TimeoutError(f"no end within {limit_s:g} s") from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
