"""A call that is abandoned when its time is over."""

import time
from contextvars import ContextVar
from threading import Event

import pytest

from entity_pipeline.core.deadlines import within


def test_what_a_call_returns_is_returned() -> None:
    assert within(5, lambda: 7) == 7
    assert within(5, lambda: None) is None


def test_what_a_call_raises_is_raised() -> None:
    def refuse() -> None:
        raise LookupError("nothing")

    with pytest.raises(LookupError, match="nothing"):
        within(5, refuse)


def test_a_call_sees_the_context_it_was_made_in() -> None:
    where = ContextVar("where", default="nowhere")
    where.set("here")
    assert within(5, where.get) == "here"


def test_a_call_that_never_ends_is_given_up_on() -> None:
    end, began = Event(), time.monotonic()
    with pytest.raises(TimeoutError, match=r"the call did not end within 0\.2 s"):
        within(0.2, end.wait)
    assert 0.1 < time.monotonic() - began < 3
    end.set()
