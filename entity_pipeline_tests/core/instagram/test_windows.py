"""Every window on its own by table, and all of them together by simulation."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.core.instagram.windows import WIRE_SLACK, next_slot, part_of, pause_s

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NO_LIMIT = 10_000


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def windows(
    gap_s: float = 0, per_minute: int = NO_LIMIT, per_hour: int = NO_LIMIT, per_day: int = NO_LIMIT
) -> InstagramWindows:
    return InstagramWindows(
        gap_s=gap_s, jitter_s=(0, 0), per_minute=per_minute, per_hour=per_hour, per_day=per_day
    )


@pytest.mark.parametrize(
    ("recent", "limits", "jitter", "expected"),
    [
        pytest.param([], windows(gap_s=2), 5, NOW, id="nothing was sent yet"),
        pytest.param([ago(1)], windows(), 0, NOW, id="no limit"),
        pytest.param([ago(1)], windows(gap_s=2), 0, ago(-1) + WIRE_SLACK, id="the gap"),
        pytest.param([ago(10)], windows(gap_s=2), 5, NOW, id="the gap is over"),
        pytest.param([ago(1)], windows(gap_s=2), 4.5, ago(-3.5) + WIRE_SLACK, id="a longer random pause"),
        pytest.param([ago(1)], windows(gap_s=2), 1.5, ago(-1) + WIRE_SLACK, id="a shorter random pause"),
        pytest.param([ago(50), ago(5)], windows(per_minute=2), 0, ago(-10) + WIRE_SLACK, id="the minute"),
        pytest.param([ago(61), ago(5)], windows(per_minute=2), 0, NOW, id="the minute has room"),
        pytest.param([ago(3000)], windows(per_hour=1), 0, ago(-600) + WIRE_SLACK, id="the hour"),
        pytest.param([ago(80_000)], windows(per_day=1), 0, ago(-6_400) + WIRE_SLACK, id="the day"),
        pytest.param(
            [ago(50), ago(20)],
            windows(per_minute=2, per_hour=2),
            0,
            ago(-3550) + WIRE_SLACK,
            id="the longest wait wins",
        ),
        pytest.param([ago(-30)], windows(gap_s=2), 0, ago(-32) + WIRE_SLACK, id="the clock was set back"),
        pytest.param([ago(5), ago(50)], windows(per_minute=2), 0, ago(-10) + WIRE_SLACK, id="in any order"),
        pytest.param(
            [ago(50), ago(40), ago(30)],
            windows(per_minute=2),
            0,
            ago(-20) + WIRE_SLACK,
            id="a limit was lowered",
        ),
    ],
)
def test_the_next_slot_keeps_every_window(
    recent: list[datetime], limits: InstagramWindows, jitter: float, expected: datetime
) -> None:
    assert next_slot(recent, NOW, limits, jitter) == expected


@given(
    limits=st.builds(
        InstagramWindows,
        gap_s=st.floats(0, 30),
        per_minute=st.integers(1, 6),
        per_hour=st.integers(1, 12),
        per_day=st.integers(1, 20),
    ),
    steps=st.lists(st.tuples(st.floats(0, 4_000), st.floats(0, 5)), min_size=2, max_size=40),
)
def test_requests_at_the_given_times_never_exceed_a_window(
    limits: InstagramWindows, steps: list[tuple[float, float]]
) -> None:
    now = NOW
    sent: list[datetime] = []
    for later_s, jitter in steps:
        now += timedelta(seconds=later_s)
        now = max(now, next_slot(sent, now, limits, jitter))
        sent.append(now)
    for limit, seconds in ((limits.per_minute, 60), (limits.per_hour, 3_600), (limits.per_day, 86_400)):
        window = timedelta(seconds=seconds)
        assert all(sum(at - window < other <= at for other in sent) <= limit for at in sent)
    gap = timedelta(seconds=limits.gap_s)
    assert all(later - earlier >= gap for earlier, later in pairwise(sent))


@given(st.lists(st.floats(-90_000, 60)), st.floats(0, 5))
def test_a_slot_that_is_due_is_still_due_when_it_comes(offsets: list[float], jitter: float) -> None:
    limits = windows(gap_s=2, per_minute=3, per_hour=5, per_day=8)
    recent = [ago(-offset) for offset in offsets]
    at = next_slot(recent, NOW, limits, jitter)
    assert at >= NOW
    assert next_slot(recent, at, limits, jitter) == at


@pytest.mark.parametrize(("share", "expected"), [(0, 2.0), (0.5, 3.5), (1, 5.0)])
def test_the_pause_lies_within_its_range(share: float, expected: float) -> None:
    assert pause_s(InstagramWindows(jitter_s=(2.0, 5.0)), share) == expected


@pytest.mark.parametrize(
    ("part", "expected"), [(1.0, (20, 30, 100)), (0.5, (10, 15, 50)), (0.29, (5, 8, 29)), (0.01, (1, 1, 1))]
)
def test_a_share_is_a_part_of_each_window_and_at_least_one_request(
    part: float, expected: tuple[int, int, int]
) -> None:
    share = part_of(windows(gap_s=9, per_minute=20, per_hour=30, per_day=100), part)
    assert (share.per_minute, share.per_hour, share.per_day) == expected
    assert (share.gap_s, share.jitter_s) == (0, (0, 0))
