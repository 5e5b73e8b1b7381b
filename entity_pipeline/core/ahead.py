"""Reading ahead: what comes next is made in a thread while the caller deals with what came before.

Worth it where one side waits for a database and the other works, as in `recount_days`.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.05
_Ready = Queue[tuple[bool, T | BaseException | None]]


@contextmanager
def read_ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """The same items in the same order, one of them ahead of the caller.

    `items` is run, and closed, in a thread, which has ended when the block has. An exception of it is raised where
    its next item would have been taken.
    """
    ready: _Ready[T] = Queue(maxsize=1)
    unwanted = Event()
    thread = Thread(target=_make, args=(items, ready, unwanted), name="read_ahead", daemon=True)
    thread.start()
    try:
        yield _taken(ready)
    finally:
        unwanted.set()
        _empty(ready)
        thread.join()


def _taken(ready: _Ready[T]) -> Iterator[T]:
    while True:
        is_item, value = ready.get()
        if not is_item:
            break
        yield value  # type: ignore[misc]
        del value  # it may be large
    if value is not None:
        raise value  # type: ignore[misc]


def _make(items: Generator[T, None, None], ready: _Ready[T], unwanted: Event) -> None:
    failure: BaseException | None = None
    try:
        for item in items:
            if not _hand_over(ready, (True, item), unwanted):
                break
            del item
        items.close()
    except BaseException as error:  # noqa: BLE001  # it is the caller's, whatever it is
        failure = error
    _hand_over(ready, (False, failure), unwanted)


def _hand_over(ready: _Ready[T], what: tuple[bool, T | BaseException | None], unwanted: Event) -> bool:
    while not unwanted.is_set():
        try:
            ready.put(what, timeout=_PATIENCE_S)
        except Full:
            continue
        return True
    return False


def _empty(ready: _Ready[T]) -> None:
    try:
        while True:
            ready.get_nowait()
    except Empty:
        return
