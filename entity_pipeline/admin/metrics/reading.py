"""`MetricsReader`: reads all parts in parallel, each with a short time limit, and caches them for some seconds.

Nothing here raises. A scraper takes an error for "the target is down" and shows nothing at all, so an unreachable
database only makes its own parts absent.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass

from entity_pipeline.admin.metrics.part import Asking, MetricsPart, Samples

_log = logging.getLogger(__name__)

# A scraper gives up after ten seconds.
PATIENCE_S = 6.0


@dataclass(frozen=True, slots=True)
class PartReading:
    """The reading of one part. `is_up` if every figure could be read; `took_s` is how long the reading took."""

    samples: Mapping[str, Samples]
    is_up: bool
    took_s: float


class MetricsReader:
    """Reads parts; safe for threads. At most one reading of a part is under way."""

    def __init__(self, parts: Sequence[MetricsPart]) -> None:
        self._parts = [_CachedPart(part) for part in parts]

    def read(self) -> Mapping[str, PartReading]:
        """The parts by name. Never raises, and returns after `PATIENCE_S` at the latest."""
        for part in self._parts:
            part.start()
        until = time.monotonic() + PATIENCE_S
        return {part.name: part.get(until) for part in self._parts}


class _CachedPart:
    """The last reading of a part. It is read in a thread that is abandoned when it takes too long."""

    def __init__(self, part: MetricsPart) -> None:
        self.name = part.name
        self._part = part
        self._lock = threading.Lock()
        self._answer: Future[PartReading] | None = None
        self._fresh_until = 0.0

    def start(self) -> None:
        """Start to read, unless a reading is under way or the last one is still fresh."""
        with self._lock:
            under_way = self._answer is not None and not self._answer.done()
            if under_way or (self._answer is not None and time.monotonic() < self._fresh_until):
                return
            answer: Future[PartReading] = Future()
            self._answer = answer
            self._fresh_until = time.monotonic() + self._part.cached_s
        threading.Thread(target=self._work, args=(answer,), name="metrics", daemon=True).start()

    def get(self, until: float) -> PartReading:
        """The reading, or an empty one if none is available at `until` (monotonic)."""
        answer = self._answer
        assert answer is not None
        try:
            return answer.result(max(until - time.monotonic(), 0))
        except NotInTime:
            return PartReading({}, is_up=False, took_s=PATIENCE_S)

    def _work(self, answer: "Future[PartReading]") -> None:
        asking = Asking()
        samples: Mapping[str, Samples] = {}
        try:
            samples = self._part.read(asking)
        except Exception as error:  # noqa: BLE001  a scrape must not fail over what it reads
            asking.is_up = False
            _log.exception("The part %s of the metrics can't be read: %s", self.name, type(error).__name__)
        answer.set_result(PartReading(samples, asking.is_up, time.monotonic() - asking.began))
