"""When a day is launched again that a run did not finish."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.domains.entities.accounts.logic.relaunch import Launches, UndecidedAccounts

DAY, OTHER = date(2026, 11, 2), date(2026, 11, 3)
NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
TWO = UndecidedAccounts(2, NOW)


def stored(at: datetime, waiting: Mapping[date, object], refused: tuple[date, ...] = ()) -> Launches:
    launches = Launches().after({*waiting, *refused}, waiting, refused, at)
    return Launches.from_cursor(json.loads(json.dumps(launches.entry)))


@pytest.mark.parametrize(
    ("waiting", "later", "due"),
    [
        ({DAY: TWO}, timedelta(minutes=1), set()),
        ({DAY: TWO}, timedelta(minutes=15), {DAY}),
        ({DAY: UndecidedAccounts(1, NOW)}, timedelta(minutes=1), {DAY}),
        ({DAY: UndecidedAccounts(2, NOW + timedelta(seconds=1))}, timedelta(minutes=1), {DAY}),
        ({DAY: TWO, OTHER: TWO}, timedelta(minutes=1), {OTHER}),
        ({}, timedelta(days=1), set()),
    ],
)
def test_a_day_is_launched_again_when_what_waits_changed_or_after_a_while(
    waiting: dict[date, object], later: timedelta, due: set[date]
) -> None:
    assert stored(NOW, {DAY: TWO}).due(waiting, (), NOW + later) == due


@pytest.mark.parametrize(("hours", "due"), [(1, set()), (23, set()), (24, {DAY})])
def test_what_was_refused_is_tried_once_per_day(hours: int, due: set[date]) -> None:
    assert Launches().due({}, [DAY], NOW) == {DAY}
    assert stored(NOW, {}, (DAY,)).due({}, [DAY], NOW + timedelta(hours=hours)) == due


def test_a_day_that_no_longer_waits_is_forgotten() -> None:
    assert stored(NOW, {DAY: TWO, OTHER: TWO}).after((), {OTHER: TWO}, (), NOW).launched.keys() == {OTHER}


@pytest.mark.parametrize(
    "launched",
    [
        None,
        7,
        [],
        {"nonsense": []},
        {"2026-11-02": "x"},
        {"2026-11-02": [1, 2]},
        {"2026-11-02": ["never", "2"]},
    ],
)
def test_a_cursor_that_cannot_be_read_launches_everything(launched: Any) -> None:
    assert Launches.from_cursor({"launched": launched}).due({DAY: TWO}, (), NOW) == {DAY}
