"""A figure that is expensive to read, cached for some seconds."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class CachedReading(Generic[Value]):
    """Caches the result of `read` for `seconds`. Concurrent callers wait for one reading.

    A failure is not cached: the next caller tries again.
    """

    def __init__(
        self, read: Callable[[], Value], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: tuple[float, Value] | None = None

    def get(self) -> Value:
        """The value, at most `seconds` old when it is returned."""
        with self._lock:
            if self._cached is None or self._clock() - self._cached[0] >= self._seconds:
                self._cached = (self._clock(), self._read())
            return self._cached[1]
