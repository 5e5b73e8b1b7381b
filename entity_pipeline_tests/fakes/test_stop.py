"""The stop signal that takes no time."""

import time

import pytest

from entity_pipeline_tests.fakes.stop import ImpatientStop


def test_a_wait_is_noted_and_takes_no_time() -> None:
    stop, started = ImpatientStop(), time.monotonic()
    assert not stop.wait(60)
    assert not stop.wait(5)
    assert stop.waits == [60, 5]
    assert time.monotonic() - started < 1


def test_the_signal_is_set_during_the_chosen_wait() -> None:
    stop = ImpatientStop(after_waits=2)
    assert not stop.wait(1)
    assert not stop.is_set()
    assert stop.wait(1)
    assert stop.is_set()


def test_waiting_for_ever_is_an_error() -> None:
    with pytest.raises(AssertionError, match="without a limit"):
        ImpatientStop().wait()
