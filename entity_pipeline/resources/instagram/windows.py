"""When the next request may go. Pure: times come in, a time goes out.

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
