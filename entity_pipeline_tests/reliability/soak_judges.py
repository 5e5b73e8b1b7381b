"""The stand-ins of the soak, which keep their own record of what reached them and when, and object at once.

They know the pipeline's limits from what a person set, not from the pipeline's tables.
"""

import hashlib
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Lock

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.objects import StoredObject
from entity_pipeline.domains.entities.sample.gemini_prompt import asked_username
from entity_pipeline.domains.entities.sample.truth import Truth
from entity_pipeline.sandbox.gemini_request import wants_search
from entity_pipeline.sandbox.loopback_http import Reply, Request
from entity_pipeline.sandbox.seeded import seeded_share
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.reliability.soak_clock import PACIFIC, SimulatedTime
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

# A request that was admitted under an older cap, or before midnight, still has to reach us.
_ON_THE_WIRE_S = 1.0
_MIDNIGHT = timedelta(seconds=90)
_PAUSE_TOLERANCE_S = 1.5  # a loaded machine takes as long from counting a request to its arrival


@dataclass
class CapJudge:
    """Counts grounded requests per Pacific day against the caps that a person set. Thread safe."""

    clock: SimulatedTime
    breaches: list[str] = field(default_factory=list)
    a_day: dict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    days_at_cap: set[date] = field(default_factory=set)
    _caps: list[tuple[float, int]] = field(default_factory=list)
    _others: list[tuple[float, date, int]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def cap_is(self, cap: int) -> None:
        """Record that a person set the cap."""
        with self._lock:
            self._caps.append((time.monotonic(), cap))

    def others_used(self, requests: int) -> None:
        """Record that another pipeline wrote grounded events of now to the ledger."""
        with self._lock:
            self._others.append((time.monotonic(), self._day(self.clock.now()), requests))

    def arrived(self) -> None:
        """Record that one of our grounded requests reached Gemini."""
        with self._lock:
            at = self.clock.now()
            counts = self.a_day[self._day(at)]
            # A request sent in the last moment of a day counts on that day.
            after_midnight = self._day(at - _MIDNIGHT) != self._day(at)
            counts["ours, around midnight" if after_midnight else "ours"] += 1
            used, cap = counts["ours"] + self._used_by_others(self._day(at)), self._cap()
            if not after_midnight and used > cap:
                self.breaches.append(f"{at:%m-%d %H:%M:%S}: {used} grounded requests under a cap of {cap}")
            self.days_at_cap |= {self._day(at)} if used >= cap else set()

    def _cap(self) -> int:
        """The highest cap that the request may have been admitted under."""
        since = time.monotonic() - _ON_THE_WIRE_S
        newest_before = [cap for at, cap in self._caps if at < since][-1:]
        return max(newest_before + [cap for at, cap in self._caps if at >= since])

    def _used_by_others(self, day: date) -> int:
        """What others used, without what was written while the request was on its way."""
        since = time.monotonic() - _ON_THE_WIRE_S
        return sum(requests for at, of, requests in self._others if of == day and at < since)

    def _day(self, at: datetime) -> date:
        return at.astimezone(PACIFIC).date()


class WatchedGemini(GeminiStandin):
    """`good` counts the whole, usable answers by (account, grounded): those that a request paid for."""

    def __init__(self, judge: CapJudge, truth: dict[str, Truth], chaos: int, key: str) -> None:
        super().__init__(latency_ms=2, chaos=chaos, retry_s=28, slow_s=0.2)
        self._judge = judge
        self._accounts = truth
        self._key = key
        self.breaches: list[str] = []
        self.good: Counter[tuple[str, bool]] = Counter()
        self.all: Counter[tuple[str, bool]] = Counter()

    def calm(self) -> None:
        """Cause no more trouble."""
        self._chaos = None

    def _respond(self, request: Request) -> Reply:
        if request.method != "POST":
            return super()._respond(request)
        body = json.loads(request.body)
        grounded = wants_search(body)
        asked = (asked_username(body, self._accounts) or "", grounded)
        if grounded:
            self._judge.arrived()
        if request.headers.get("x-goog-api-key") != self._key:
            self.breaches.append("a request came without the configured key")
        reply = super()._respond(request)
        self.all[asked] += 1
        self.good[asked] += reply.status == 200 and not reply.drop and _is_json(reply.body)
        return reply


class WatchedInstagram(InstagramStandin):
    """Holds the windows that the settings promise against the arrival of each request for a page."""

    def __init__(self, clock: SimulatedTime, truth: dict[str, Truth], chaos: int) -> None:
        super().__init__(latency_ms=0, chaos=chaos)
        self._clock = clock
        self._accounts = {**self._accounts, **truth}
        self._watch = Lock()
        self.breaches: list[str] = []
        self.pages: list[datetime] = []
        self.fullest_hour = 0

    def calm(self) -> None:
        """Cause no more trouble."""
        self._chaos = None

    def _respond(self, request: Request) -> Reply:
        if "/v/t51" not in request.path:
            with self._watch:
                self._note(self._clock.now())
        return super()._respond(request)

    def _note(self, at: datetime) -> None:
        slack = timedelta(seconds=_PAUSE_TOLERANCE_S)
        if self.pages and at - self.pages[-1] < timedelta(seconds=2) - slack:
            self.breaches.append(f"{at:%m-%d %H:%M:%S}: a page {at - self.pages[-1]} after the one before")
        self.pages.append(at)
        recent = self.pages[-1_001:]
        for length, limit in ((60, 20), (3_600, 30), (86_400, 1_000)):
            inside = sum(1 for page in recent if page > at - timedelta(seconds=length) + slack)
            if inside > limit:
                self.breaches.append(f"{at:%m-%d %H:%M:%S}: {inside} pages within {length} s")
            if length == 3_600:
                self.fullest_hour = max(self.fullest_hour, inside)


class MoodyStore(FakeObjectStore):
    """R2 that refuses some uploads, by seed and content."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed: int | None = seed
        self.refused = 0

    def calm(self) -> None:
        """Cause no more trouble."""
        self._seed = None

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        content = hashlib.sha256(data).hexdigest()
        if self._seed is not None and seeded_share("r2", self._seed, content, self.puts) < 0.08:
            self.puts += 1
            self.refused += 1
            raise TransientFailure("R2 answered 429 (simulated): the next run tries again.")
        return super().put(prefix, data, content_type)


def utc_day(at: datetime) -> date:
    """The UTC day of an instant."""
    return at.astimezone(UTC).date()


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
