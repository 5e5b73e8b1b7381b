"""A stop signal whose waiting takes no time."""

from threading import Event


class ImpatientStop(Event):
    """Records how long it was asked to wait, and returns at once.

    Args:
        after_waits: it is set during the wait of this number; None is never.
    """

    def __init__(self, after_waits: int | None = None) -> None:
        super().__init__()
        self._after_waits = after_waits
        self._waits: list[float] = []

    @property
    def waits(self) -> list[float]:
        """Seconds, in the order asked for."""
        return list(self._waits)

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            raise AssertionError("Nothing may wait without a limit.")
        self._waits.append(timeout)
        if len(self._waits) == self._after_waits:
            self.set()
        return self.is_set()
