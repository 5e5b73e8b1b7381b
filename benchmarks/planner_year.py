"""A year of the planner: backlog, waiting times, paid calls per day and runs, under eight kinds of load.

    .venv/bin/python benchmarks/planner_year.py [--days 365] [--seed 1] [SCENARIO ...]

The decisions are the product's own: `plan`, `admit`, `quota_status`, the quota clock, the settings' defaults. Posts,
Dagster and Google are modelled by the constants below, which are printed. No database and no network. Most accounts
are never made: of so many with equal counts only the next name in order is drawn, so that a thousand times the load
takes no longer.
"""

import argparse
import heapq
import random
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain, islice
from math import ceil, floor
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from entity_pipeline.core.gemini.call import Call, CallKind, Claim, Step
from entity_pipeline.core.gemini.ledger import Admitted, LedgerView, admit
from entity_pipeline.core.gemini.models import DEFAULT_MODEL, MODELS, GeminiModel
from entity_pipeline.core.gemini.quota import QuotaStatus, quota_status
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.core.gemini.request import Request, Text, Tool
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import TokenUsage, search_cost_usd, token_cost_usd
from entity_pipeline.core.settings import Open
from entity_pipeline.domains.entities.accounts.logic.plan import (
    Launch,
    PendingAccount,
    places_for_the_oldest,
    plan,
)
from entity_pipeline.domains.entities.reviews.logic.record import MAX_ATTEMPTS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.runs.workers import OUTAGE_AFTER

START = datetime(2026, 12, 1, tzinfo=UTC)
TICK = timedelta(minutes=15)  # enrichment_schedule
COLLECTIONS = (0, 6, 12, 18)  # hours (UTC) at which the day's new accounts arrive, a quarter each
MOST_POSTS = 50  # an account is tagged in p posts with a chance like 1 / p²: 62 % once, 2.8 posts on average
NO_ANSWER = 0.02  # share of calls that time out or meet a 5xx; the account is put off
UNREADABLE = 0.01  # share of replies that give no review; final
OUTAGE_EVERY, OUTAGE = timedelta(days=30), timedelta(hours=4)  # Gemini answers no call
RUN_DIES = 0.01  # share of runs whose process is killed before its first call ...
DEAD_FOR = timedelta(minutes=5)  # ... and that run monitoring closes so much later
RUNS_AT_ONCE = 4  # max_concurrent_runs in dagster.yaml; the pool gemini lets one of them ask
RUN_OVERHEAD = timedelta(seconds=10)
LATENCY = timedelta(seconds=5)
TOKENS = TokenUsage(prompt=1_300, output=304)  # a review of the demo
PROMPT_BYTES = 4_600
QUERIES = 3  # searches of a review; counted by Gemini 3 only
CLASSES = ((1, "1 post"), (2, "2 posts"), (4, "3 to 4"), (9, "5 to 9"), (MOST_POSTS, "10 and more"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`accounts` are new ones per day; `burst` of them more arrive once, on the tenth day."""

    accounts: int
    burst: int = 0
    model: GeminiModel = MODELS[DEFAULT_MODEL]
    settings: EntitySettings = field(default_factory=EntitySettings)
    gemini: GeminiSettings = field(default_factory=GeminiSettings)


SCENARIOS = {
    "1x": Scenario(1_000),
    "1.5x": Scenario(1_500),
    "10x": Scenario(10_000),
    "10x, paid": Scenario(
        10_000, gemini=GeminiSettings(daily_grounding_cap=11_000, daily_spend_usd=400.0, paid_grounding=True)
    ),
    "1,000x": Scenario(1_000_000),
    "burst": Scenario(1_000, burst=100_000),
    "1x, Gemini 3 free": Scenario(
        1_000,
        model=MODELS["gemini-3.5-flash-lite"],
        # The month's free searches, spread over its days.
        gemini=GeminiSettings(daily_grounding_cap=160),
    ),
    "1x, Gemini 3 paid": Scenario(
        1_000,
        model=MODELS["gemini-3.5-flash-lite"],
        gemini=GeminiSettings(daily_grounding_cap=4_000, daily_spend_usd=60.0, paid_grounding=True),
    ),
}


class Account(NamedTuple):
    """Sorts as the schedule's query does: most-tagged first, then by name (0 to 1 is a to z)."""

    minus_posts: int
    name: float
    seen: datetime
    attempts: int = 0


@dataclass(slots=True)
class Alike:
    """Accounts of one collection with equal counts, drawn one by one in the order of their names."""

    posts: int
    left: int
    seen: datetime
    name: float = 0.0

    def draw(self, chance: random.Random) -> Account:
        """The smallest of the `left` names that are still there."""
        self.name += (1 - self.name) * (1 - (1 - chance.random()) ** (1 / self.left))
        self.left -= 1
        return Account(-self.posts, self.name, self.seen)


class Cohort:
    """The pending accounts of one day, in order."""

    def __init__(self, day: date, chance: random.Random) -> None:
        self.day, self.waiting = day, 0
        self._chance = chance
        self._next: list[tuple[Account, int, Alike | None]] = []
        self._sorted: list[Account] = []

    def add(self, alike: Alike) -> None:
        """Add new accounts, at least one."""
        self.waiting += alike.left
        self._push(alike.draw(self._chance), alike)

    def give_back(self, account: Account) -> None:
        """Take one account."""
        self.waiting += 1
        self._push(account, None)

    def in_order(self) -> Iterator[tuple[Account, date]]:
        """All of them, without taking any."""
        for nth in range(self.waiting):
            if nth == len(self._sorted):
                account, _, alike = heapq.heappop(self._next)
                self._sorted.append(account)
                if alike is not None and alike.left:
                    heapq.heappush(self._next, (alike.draw(self._chance), id(alike), alike))
            yield self._sorted[nth], self.day

    def take(self, count: int) -> None:
        """Remove the first ones, which were looked at before."""
        del self._sorted[:count]
        self.waiting -= count

    def _push(self, account: Account, alike: Alike | None) -> None:
        heapq.heappush(self._next, (account, id(alike), alike))
        for known in self._sorted:
            heapq.heappush(self._next, (known, 0, None))
        self._sorted.clear()


@dataclass(frozen=True, slots=True)
class Tick:
    """What the planner was given and what it decided."""

    now: datetime
    pending: Sequence[PendingAccount]
    longest_waiting: Sequence[PendingAccount]
    in_flight: frozenset[date]
    quota: QuotaStatus
    limits: dict[date, int]


@dataclass(slots=True)
class Figures:
    """The outcome of a scenario; waits are hours from the collection to the reply that ended them."""

    new: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    most_waiting: int = 0
    waiting: int = 0
    oldest_days: dict[str, int] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    calls: Counter[date] = field(default_factory=Counter)
    usd: Decimal = Decimal(0)
    runs: Counter[date] = field(default_factory=Counter)
    runs_without_work: int = 0
    ticks_that_launched: int = 0
    worst_tick_runs: int = 0
    worst_tick: timedelta = timedelta()


class Year:
    """One scenario from START on; `watch` sees every tick that asked the planner."""

    def __init__(self, scenario: Scenario, days: int, seed: int, watch: Callable[[Tick], None]) -> None:
        self.scenario, self.days, self._watch = scenario, days, watch
        self.figures = Figures()
        self._chance = random.Random(seed)
        self._gate = Open(scenario.settings)
        self._cohorts: dict[date, Cohort] = {}
        self._put_off: list[tuple[datetime, Account, date]] = []
        self._left: Counter[tuple[str, date]] = Counter()
        self._runs: list[tuple[datetime, date]] = []
        self._places = [START] * RUNS_AT_ONCE
        self._gemini_free = START
        self._sent: dict[date, list[datetime]] = defaultdict(list)
        self._units: Counter[str] = Counter()
        self._usd: dict[date, Decimal] = defaultdict(Decimal)

    def live(self) -> Figures:
        """Run every tick of the days."""
        for nth in range(self.days * (timedelta(days=1) // TICK)):
            now = START + nth * TICK
            if now.minute == 0 and now.hour in COLLECTIONS:
                self._collect(now)
            self._tick(now)
        end = START + timedelta(days=self.days)
        for (kind, day), count in self._left.items():
            if count:
                age = (end.date() - day).days
                self.figures.oldest_days[kind] = max(age, self.figures.oldest_days.get(kind, 0))
        self.figures.waiting = self._left.total()
        return self.figures

    def _collect(self, now: datetime) -> None:
        day = now.date()
        new = self.scenario.accounts / len(COLLECTIONS)
        if now == START + timedelta(days=10):
            new += self.scenario.burst
        cohort = self._cohorts.setdefault(day, Cohort(day, self._chance))
        for posts, share in _SHARES.items():
            # Rounded up as often as the fraction says.
            if count := floor(new * share + self._chance.random()):
                cohort.add(Alike(posts, count, now))
                self._left[_kind(posts), day] += count
                self.figures.new[_kind(posts)] += count

    def _tick(self, now: datetime) -> None:
        self._runs = [run for run in self._runs if run[0] > now]
        while self._put_off and self._put_off[0][0] <= now:
            _, account, day = heapq.heappop(self._put_off)
            self._cohorts[day].give_back(account)
        self.figures.most_waiting = max(self.figures.most_waiting, self._left.total())
        quota = self._quota(now)
        in_flight = frozenset(day for _, day in self._runs)
        # The planner says the same whatever waits when the cap is reached, and most ticks are such.
        pending = [] if quota.cap_reached else self._pending(in_flight)
        oldest = [] if quota.cap_reached else self._longest_waiting(in_flight)
        decision = plan(self._gate, pending, in_flight, quota, longest_waiting=oldest)
        limits = dict(decision.limits) if isinstance(decision, Launch) else {}
        self._watch(Tick(now, pending, oldest, in_flight, quota, limits))
        if not limits:
            return
        ends = [self._run(day, limit, now) for day, limit in limits.items()]
        self.figures.runs[now.date()] += len(ends)
        self.figures.ticks_that_launched += 1
        self.figures.worst_tick_runs = max(self.figures.worst_tick_runs, len(ends))
        self.figures.worst_tick = max(self.figures.worst_tick, max(ends) - now)

    def _pending(self, in_flight: frozenset[date]) -> list[PendingAccount]:
        """What the schedule's query returns: the most-tagged of all cohorts that are not in flight."""
        free = (cohort for day, cohort in self._cohorts.items() if cohort.waiting and day not in in_flight)
        first = islice(heapq.merge(*(c.in_order() for c in free)), self._gate.settings.accounts_per_tick)
        return [PendingAccount(account, day, -account.minus_posts) for account, day in first]

    def _longest_waiting(self, in_flight: frozenset[date]) -> list[PendingAccount]:
        """The first accounts of the oldest cohorts, in the order in which their runs take them."""
        settings = self._gate.settings
        free = (
            cohort for day, cohort in sorted(self._cohorts.items()) if cohort.waiting and day not in in_flight
        )
        first = islice(
            chain.from_iterable(cohort.in_order() for cohort in free),
            places_for_the_oldest(settings.accounts_per_tick, settings.fairness),
        )
        return [PendingAccount(account, day, -account.minus_posts) for account, day in first]

    def _run(self, day: date, limit: int, asked: datetime) -> datetime:
        """Start the run when there is a place; returns when it ends."""
        start = max(asked, heapq.heappop(self._places))
        if self._chance.random() < RUN_DIES:
            end = start + DEAD_FOR
        else:
            begin = max(start + RUN_OVERHEAD, self._gemini_free)
            end = self._gemini_free = self._review(self._cohorts[day], limit, begin)
        heapq.heappush(self._places, end)
        self._runs.append((end, day))
        return end

    def _review(self, cohort: Cohort, limit: int, begin: datetime) -> datetime:
        unanswered, at, done = 0, begin, 0
        for nth, (account, _) in enumerate(islice(cohort.in_order(), limit)):
            at = begin + LATENCY * (nth // self._gate.settings.concurrency + 1)
            if unanswered >= OUTAGE_AFTER or not self._may_call(at):
                break
            done += 1
            answered = not _is_out(at) and self._chance.random() >= NO_ANSWER
            unanswered = 0 if answered else unanswered + 1
            self._note(account, cohort.day, at, answered)
        cohort.take(done)
        self.figures.runs_without_work += not done
        return at if done else begin

    def _note(self, account: Account, day: date, at: datetime, answered: bool) -> None:
        kind = _kind(-account.minus_posts)
        if not answered and account.attempts + 1 < MAX_ATTEMPTS:
            due = at + timedelta(minutes=15 * 4 ** min(account.attempts, 2))
            again = account._replace(attempts=account.attempts + 1)
            heapq.heappush(self._put_off, (due, again, day))
            return
        self._left[kind, day] -= 1
        if answered and self._chance.random() >= UNREADABLE:
            self.figures.waits[kind].append((at - account.seen) / timedelta(hours=1))
        else:
            self.figures.failed += 1

    def _may_call(self, at: datetime) -> bool:
        """Ask the ledger's own rule about one request; it is counted when it is admitted."""
        model, day = self.scenario.model, quota_day(at)
        units = 1 if model.pool.unit == "prompt" else QUERIES
        period = self._period(day)
        view = self._view(at, len(self._sent[day]) * units, self._units[period])
        if not isinstance(admit(view, _call(model), model), Admitted):
            return False
        usd = token_cost_usd(model, TOKENS, day) + search_cost_usd(model.pool, self._units[period], units)
        self._usd[day] += usd
        self.figures.usd += usd
        self._units[period] += units
        self._sent[day].append(at)
        self.figures.calls[day] += 1
        return True

    def _quota(self, now: datetime) -> QuotaStatus:
        """The ledger's figures at `now`; requests that will leave later are not in them."""
        day, units = quota_day(now), 1 if self.scenario.model.pool.unit == "prompt" else QUERIES
        later = len(self._sent[day]) - bisect_right(self._sent[day], now)
        used = (len(self._sent[day]) - later) * units
        in_period = self._units[self._period(day)] - later * units
        return quota_status(self._view(now, used, in_period), self.scenario.model)

    def _view(self, at: datetime, units_today: int, units_in_period: int) -> LedgerView:
        return LedgerView(
            now=at,
            quota_day=quota_day(at),
            settings=self.scenario.gemini,
            closed=None,
            billed_as=None,
            units_in_period=units_in_period,
            units_today=units_today,
            reserved_today=0,
            spent_usd=self._usd[quota_day(at)],
            month_spent_usd=None,
            domain_spent_usd=Decimal(0),
            requests_last_minute=0,
            minute_frees_at=None,
            blocked_until=None,
        )

    def _period(self, day: date) -> str:
        return day.isoformat() if self.scenario.model.pool.period == "day" else f"{day:%Y-%m}"


_TOTAL = sum(1 / posts**2 for posts in range(1, MOST_POSTS + 1))
_SHARES = {posts: 1 / posts**2 / _TOTAL for posts in range(1, MOST_POSTS + 1)}


class Kind(CallKind):
    """The kind of the calls."""

    REVIEW = "review"


@cache
def _call(model: GeminiModel) -> Call:
    request = Request(
        model=model.name, system="x" * PROMPT_BYTES, parts=(Text(""),), tools=(Tool.GOOGLE_SEARCH,)
    )
    claim = Claim(Step("simulated", "simulated", "year"), Kind.REVIEW, "x")
    return Call(claim=claim, request=request, input_hash="i", config_hash="c")


def _kind(posts: int) -> str:
    return next(name for most, name in CLASSES if posts <= most)


def _is_out(at: datetime) -> bool:
    since = at - START
    return since >= OUTAGE_EVERY and since % OUTAGE_EVERY < OUTAGE


def simulate(
    scenario: Scenario, days: int = 365, seed: int = 1, watch: Callable[[Tick], None] = lambda _: None
) -> Figures:
    """Simulate the scenario."""
    return Year(scenario, days, seed, watch).live()


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.0f} d"


def _row(name: str, found: Figures, days: int) -> list[str]:
    oldest = max(found.oldest_days.values(), default=0)
    return [
        name,
        f"{found.new.total():,}",
        f"{sum(map(len, found.waits.values())):,}",
        f"{found.failed:,}",
        f"{found.waiting:,}",
        f"{found.most_waiting:,}",
        f"{oldest} d",
        f"{found.calls.total() / max(len(found.calls), 1):,.0f}",
        f"{max(found.calls.values(), default=0):,}",
        f"{found.usd:,.0f}",
        f"{found.runs.total() / days:,.1f}",
        f"{max(found.runs.values(), default=0):,}",
        f"{found.worst_tick_runs}",
        f"{ceil(found.worst_tick / timedelta(minutes=1))} min",
        f"{found.runs_without_work:,}",
    ]


def _waits(name: str, found: Figures) -> Iterator[list[str]]:
    for _, kind in CLASSES:
        waits = sorted(found.waits[kind])
        shown = [_hours(waits[int((len(waits) - 1) * at)]) if waits else "" for at in (0.5, 0.95, 1)]
        share = f"{100 * len(waits) / found.new[kind]:.3g} %" if found.new[kind] else ""
        oldest = f"{found.oldest_days[kind]} d" if kind in found.oldest_days else ""
        yield [name, kind, f"{found.new[kind]:,}", share, *shown, oldest]


def main(names: Sequence[str], days: int, seed: int) -> None:
    console = Console(highlight=False, width=170)
    settings, gemini = EntitySettings(), GeminiSettings()
    console.print(
        f"{days} days from {START:%Y-%m-%d}, seed {seed}; cap {gemini.daily_grounding_cap}, "
        f"{settings.accounts_per_tick} accounts per tick, {settings.concurrency} reviews at once, "
        f"{gemini.daily_spend_usd} USD per day. New accounts at {COLLECTIONS} o'clock UTC, tagged in up to "
        f"{MOST_POSTS} posts. A call takes {LATENCY.seconds} s, {TOKENS.prompt} tokens in and {TOKENS.output} out; "
        f"{NO_ANSWER:.0%} get no answer, "
        f"{UNREADABLE:.0%} one that can't be read, and no call does for {OUTAGE} every {OUTAGE_EVERY.days} days. "
        f"A run takes {RUN_OVERHEAD.seconds} s besides; {RUN_DIES:.0%} die."
    )
    years = Table(
        "scenario", "new", "reviewed", "failed", "waiting at the end", "most", "oldest", "calls per day"
    )
    for heading in ("most", "USD", "runs per day", "most", "worst tick", "takes", "runs without work"):
        years.add_column(heading)
    waits = Table(
        "scenario", "tagged in", "new", "reviewed", "median wait", "95 %", "longest", "oldest waiting"
    )
    for name in names:
        began = time.perf_counter()
        found = simulate(SCENARIOS[name], days, seed)
        years.add_row(*_row(name, found, days))
        for row in _waits(name, found):
            waits.add_row(*row)
        console.print(f"{name}: {time.perf_counter() - began:.0f} s")
    console.print(years, waits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A simulated year of the planner.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    main(options.scenarios or list(SCENARIOS), options.days, options.seed)
