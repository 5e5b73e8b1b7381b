"""A figure that is dear to compute, kept for some seconds."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """What `compute` returned, for `seconds`. Many who ask at once wait for one computation.

    A failure is not kept: the next one who asks tries again.
    """

    def __init__(
        self, compute: Callable[[], Value], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._compute = compute
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._value: tuple[float, Value] | None = None

    def get(self) -> Value:
        """The value, at most `seconds` old when it is returned."""
        with self._lock:
            if self._value is None or self._clock() - self._value[0] >= self._seconds:
                self._value = (self._clock(), self._compute())
            return self._value[1]

    def forget(self) -> None:
        """Compute anew next time."""
        with self._lock:
            self._value = None
