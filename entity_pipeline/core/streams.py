"""Prefetch a stream in a background thread, or process it with several.

Worth it where one side waits for a database while the other computes, as in `recount_days`.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import TypeVar

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")

_PATIENCE_S = 0.05
_Ready = Queue[tuple[bool, T | BaseException | None]]


@contextmanager
def read_ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """The same items in the same order, one of them ahead of the caller.

    `items` is run and closed in a thread, which has ended when the block ends. Its exception is raised where the next
    item would have been taken.
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


def each_with_any(workers: Sequence[W], items: Iterator[T], work: Callable[[W, T], R]) -> list[R]:
    """`work(worker, item)` for every item, each worker in a thread of its own; the results in no order.

    An item is taken when a worker is free. After the first exception, of `work` or of `items`, no further one is
    taken; it is raised once all workers have ended.
    """
    taking, failed = Lock(), Event()

    def take() -> list[T]:
        with taking:
            return [] if failed.is_set() else list(islice(items, 1))

    def of_one(worker: W) -> list[R]:
        done = []
        try:
            while taken := take():
                done.append(work(worker, taken.pop()))
        except BaseException:
            failed.set()
            raise
        return done

    with ThreadPoolExecutor(len(workers), thread_name_prefix="each_with_any") as threads:
        try:
            running = [threads.submit(of_one, worker) for worker in workers]
            return [result for one in running for result in one.result()]
        finally:
            failed.set()


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
    except BaseException as error:  # noqa: BLE001  # raised again in the caller
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
