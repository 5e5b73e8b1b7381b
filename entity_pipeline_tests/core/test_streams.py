from collections.abc import Generator
from threading import Barrier, Event, current_thread
from threading import enumerate as threads

import pytest

from entity_pipeline.core.streams import each_with_any, read_ahead


def numbers(closed: list[str]) -> Generator[int, None, None]:
    try:
        yield from range(100)
    finally:
        closed.append(current_thread().name)


def test_items_come_in_order_and_from_another_thread() -> None:
    closed: list[str] = []
    with read_ahead(numbers(closed)) as items:
        assert list(items) == list(range(100))
    assert closed == ["read_ahead"]


def test_the_next_item_is_made_while_the_last_one_is_handled() -> None:
    made = Event()

    def two() -> Generator[int, None, None]:
        yield 1
        made.set()
        yield 2

    with read_ahead(two()) as items:
        assert next(items) == 1
        assert made.wait(5)


def test_a_failure_is_raised_after_the_items_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise LookupError("third")

    with read_ahead(failing()) as items:
        assert next(items) == 1
        with pytest.raises(LookupError, match="third"):
            next(items)


def test_when_the_block_is_left_early_the_source_is_closed_before_it_ends() -> None:
    closed: list[str] = []
    with read_ahead(numbers(closed)) as items:
        assert next(items) == 0
    assert closed == ["read_ahead"]


def test_a_caller_that_fails_leaves_no_thread_behind() -> None:
    closed: list[str] = []

    def fails() -> None:
        with read_ahead(numbers(closed)) as items:
            raise ValueError(f"caller at {next(items)}")

    with pytest.raises(ValueError, match="caller at 0"):
        fails()
    assert closed == ["read_ahead"]
    assert not [thread for thread in threads() if thread.name == "read_ahead"]


def test_several_workers_handle_every_item_once() -> None:
    both = Barrier(2, timeout=5)
    seen: list[str] = []

    def work(worker: str, item: int) -> int:
        if item < 2:
            both.wait()  # the first two are dealt with at the same time
        seen.append(worker)
        return item

    assert sorted(each_with_any(["one", "two"], iter(range(100)), work)) == list(range(100))
    assert set(seen) == {"one", "two"}


def test_after_a_failure_no_further_item_is_taken() -> None:
    items, done = iter(range(100)), []

    def work(worker: str, item: int) -> None:
        if item == 3:
            raise LookupError("fourth")
        done.append(item)

    with pytest.raises(LookupError, match="fourth"):
        each_with_any(["one"], items, work)
    assert (done, next(items)) == ([0, 1, 2], 4)


def test_items_that_can_not_be_made_fail_the_whole_stream() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise LookupError("second")

    done: list[int] = []
    with pytest.raises(LookupError, match="second"):
        each_with_any(["one", "two"], failing(), lambda _, item: done.append(item))
    assert done == [1]
