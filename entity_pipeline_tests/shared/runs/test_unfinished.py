import json
from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.shared.runs.unfinished import RETRY_AFTER, RunWindow, instant_in

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_first_look_goes_back_a_day_and_the_next_begins_where_it_ended() -> None:
    first = RunWindow.after(None, NOW)
    assert first == RunWindow(NOW - RETRY_AFTER - timedelta(days=1), NOW - RETRY_AFTER)
    second = RunWindow.after(json.dumps(first.entry), NOW + timedelta(minutes=5))
    assert second == RunWindow(first.until, NOW + timedelta(minutes=5) - RETRY_AFTER)


def test_a_clock_that_goes_back_looks_at_nothing_twice() -> None:
    first = RunWindow.after(None, NOW)
    again = RunWindow.after(json.dumps(first.entry), NOW - timedelta(hours=1))
    assert again.since == again.until == first.until


@pytest.mark.parametrize("cursor", [None, "", "{}", "[]", "null", '{"seen": 1}', '{"seen": "yesterday"}'])
def test_a_cursor_that_cannot_be_read_is_like_none(cursor: str | None) -> None:
    assert instant_in(cursor, "seen") is None
