"""When the next request may be sent. Pure functions of times; counting the requests is the governor's task.

All windows hold at once. Each is stretched by `WIRE_SLACK`, because a request leaves a moment after it was
counted: two requests counted exactly 2 s apart could reach Instagram 1.99 s apart.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from entity_pipeline.core.instagram.settings import InstagramWindows

WIRE_SLACK = timedelta(milliseconds=250)
LONGEST_WINDOW = timedelta(days=1) + WIRE_SLACK

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def next_slot(
    recent: Sequence[datetime], now: datetime, windows: InstagramWindows, jitter: float
) -> datetime:
    """The earliest time, `now` or later, at which one more request breaks no window.

    Args:
        recent: Times of the requests already counted, in any order; a time after `now` (a clock that was set
            back) counts like any other. At least the newest `windows.per_day` of the last day.
        now: The time on the clock that stamped `recent`.
        windows: The limits; `gap_s` is the least spacing.
        jitter: Seconds to leave after the newest request; the larger of this and the gap holds.
    """
    newest_first = sorted(recent, reverse=True)
    at = now
    spacing_s = max(windows.gap_s, jitter)
    if newest_first and spacing_s > 0:
        at = max(at, newest_first[0] + timedelta(seconds=spacing_s) + WIRE_SLACK)
    for limit, length in ((windows.per_minute, _MINUTE), (windows.per_hour, _HOUR), (windows.per_day, _DAY)):
        if len(newest_first) >= limit:
            at = max(at, newest_first[limit - 1] + length + WIRE_SLACK)
    return at


def pause_s(windows: InstagramWindows, share: float) -> float:
    """The random pause in seconds at `share` (0 to 1) of the configured range."""
    low, high = windows.jitter_s
    return low + (high - low) * share


def part_of(windows: InstagramWindows, part: float) -> InstagramWindows:
    """The windows of a domain that may use `part` (more than 0, at most 1) of them: each at least one request.

    The spacing stays as it is: it belongs to the account and the route, whichever domain asks.
    """

    def of(limit: int) -> int:
        return max(1, int(limit * part + 1e-9))  # otherwise 0.29 of 100 would be 28

    return InstagramWindows(
        gap_s=0.0,
        jitter_s=(0.0, 0.0),
        per_minute=of(windows.per_minute),
        per_hour=of(windows.per_hour),
        per_day=of(windows.per_day),
    )
