"""A simulated Instagram with days of trouble, and an independent record of what the pool may do.

The session, the governor and their SQL are the real ones; only time, Instagram and the processes are made up.
`Books` keeps its own record, in plain Python and from the design's figures, and objects to whatever breaks a
rule at the moment it happens.
"""

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram.attempt import Attempted
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.judging import ABSENT, UNREADABLE, Verdict
from entity_pipeline.resources.instagram.seating import Seating, SlotRefused
from entity_pipeline.resources.instagram.seats import Busy, LeaseLost, Seat, Slot
from entity_pipeline.resources.instagram.session import GovernedSession
from entity_pipeline.resources.instagram.session_secrets import Identity
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
START = datetime(2026, 11, 20, tzinfo=UTC)
COOLING = {SeatOutcome.LIMITED: timedelta(minutes=45), SeatOutcome.CHALLENGED: timedelta(minutes=90)}
LEASE = timedelta(seconds=120)
ROUTE_REST = timedelta(minutes=15)
LONGEST_WAIT = timedelta(seconds=6)
_ON_THE_WIRE_S = 0.24  # at most this long between counting a request and its leaving
_LONG_AGO = START - timedelta(days=9)
_PROFILE = InstagramProfile("1", "instagram", "Instagram", None, None)
WALL, TRANSPORT, _UPSTREAM, _LIMITED, _CHALLENGED = (
    Verdict(Finding.UNANSWERED, seat)
    for seat in (
        SeatOutcome.WALL,
        SeatOutcome.TRANSPORT,
        SeatOutcome.UPSTREAM,
        SeatOutcome.LIMITED,
        SeatOutcome.CHALLENGED,
    )
)
# The last is a block that looks like absence.
_TROUBLE = (WALL, TRANSPORT, _UPSTREAM, _LIMITED, _CHALLENGED, UNREADABLE, ABSENT)


class ProcessGone(BaseException):
    """The process was killed; nothing of it runs any more."""


@dataclass
class AccountBook:
    """What an account may do, by our own record."""

    state: str = "active"  # or needs_session, disabled
    rests_until: datetime = _LONG_AGO
    leased_until: datetime = _LONG_AGO
    fence: int = 0
    session_is_lost: bool = False  # the truth at Instagram
    is_suspended: bool = False


@dataclass
class RouteBook:
    """What a route may do, by our own record."""

    rests_until: datetime = _LONG_AGO
    failures: int = 0


@dataclass
class Books:
    """The referee: it sees every lease, slot and release, and every request that arrives."""

    windows: InstagramWindows
    now: datetime = START
    accounts: dict[str, AccountBook] = field(default_factory=dict)
    routes: dict[str, RouteBook] = field(default_factory=lambda: defaultdict(RouteBook))
    arrivals: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def leased(self, seat: Seat) -> None:
        if seat.account is None:
            usable = [name for name, book in self.accounts.items() if book.state == "active"]
            assert not usable, f"the anonymous seat was given while {usable} can work"
            return
        book = self.accounts[seat.account]
        self._may_work(seat)
        assert book.leased_until <= self.now, "an account was leased twice"
        book.leased_until, book.fence = self.now + LEASE, seat.fence

    def granted(self, seat: Seat) -> None:
        """Record that a request was counted and may be sent."""
        self._may_work(seat)
        if seat.account is not None:
            book = self.accounts[seat.account]
            assert (book.fence, book.leased_until > self.now) == (seat.fence, True), "sent without a lease"

    def _may_work(self, seat: Seat) -> None:
        assert self.routes[seat.route].rests_until <= self.now, "a route that rests was used"
        if seat.account is not None:
            book = self.accounts[seat.account]
            assert book.state == "active", f"an account that is {book.state} was used"
            assert book.rests_until <= self.now, "a cooling account was used"

    def released(self, seat: Seat, outcome: SeatOutcome | None, with_session: bool) -> None:
        """What has to follow from an outcome, as the design has it."""
        book = None if seat.account is None else self.accounts[seat.account]
        if book is not None and book.fence == seat.fence:
            book.leased_until = _LONG_AGO
            if outcome in COOLING:
                book.rests_until = self.now + COOLING[outcome]
            elif with_session and outcome is SeatOutcome.LOGGED_OUT:
                book.state = "needs_session"
            elif with_session and outcome is SeatOutcome.SUSPENDED:
                book.state = "disabled"
        route = self.routes[seat.route]
        if outcome is SeatOutcome.OK:
            route.failures = 0
        elif outcome in (SeatOutcome.WALL, SeatOutcome.TRANSPORT):
            route.failures += 1
            if route.failures == 5:
                route.failures = 0
                route.rests_until = max(route.rests_until, self.now + ROUTE_REST)
        elif outcome in COOLING and not with_session:
            route.rests_until = max(route.rests_until, self.now + COOLING[outcome])

    def arrived(self, key: str) -> None:
        """Record that a request reached Instagram, and check each window with it."""
        times = self.arrivals[key]
        if times:
            least = max(self.windows.gap_s, self.windows.jitter_s[0])
            assert (self.now - times[-1]).total_seconds() >= least, f"{key}: a pause was too short"
        times.append(self.now)
        lengths = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
        limits = (self.windows.per_minute, self.windows.per_hour, self.windows.per_day)
        for limit, length in zip(limits, lengths, strict=True):
            inside = len(times) - bisect_right(times, self.now - length)
            assert inside <= limit, f"{key}: {inside} requests within {length}"
            self.counts[f"full window {length}"] += inside == limit

    def agree_with(self, connection: Connection) -> None:
        """The tables say what our record says; no session is blamed for more than it did."""
        sql = "select username, state, cooling_until from instagram_pool_accounts"
        for name, state, cooling_until in connection.execute(sql).fetchall():
            book = self.accounts[name]
            ours = "cooling" if book.state == "active" and book.rests_until > self.now else book.state
            theirs = "active" if state == "cooling" and cooling_until <= self.now else state
            assert (name, theirs) == (name, ours)
            if ours == "cooling":
                assert cooling_until == book.rests_until
            assert theirs != "needs_session" or book.session_is_lost, f"{name} was blamed for its route"
        for name, cooling_until, failures in connection.execute(
            "select name, cooling_until, failures from instagram_routes"
        ).fetchall():
            route = self.routes[name]
            assert max(cooling_until or _LONG_AGO, self.now) == max(route.rests_until, self.now), name
            assert failures == route.failures, name
        self.counts["comparisons"] += 1


class WatchedGovernor(Governor):
    """The real governor, with the books kept beside it."""

    books: Books
    after_lease: Callable[[], None]  # may end the process

    def lease(
        self, connection: Connection, except_for: Sequence[str] = (), only: str | None = None
    ) -> Seat | Busy:
        answer = Governor.lease(self, connection, except_for, only)
        if isinstance(answer, Seat):
            self.books.leased(answer)
            self.after_lease()
        return answer

    def take_slot(self, connection: Connection, seat: Seat, *rest: Any, **more: Any) -> Any:
        answer: Slot | Busy | LeaseLost = Governor.take_slot(self, connection, seat, *rest, **more)
        if isinstance(answer, Slot):
            self.books.granted(seat)
        self.books.counts[f"slot: {type(answer).__name__}"] += 1
        return answer

    def release(
        self,
        connection: Connection,
        seat: Seat,
        outcome: SeatOutcome | None,
        *,
        with_session: bool = False,
        slots: Sequence[Slot] = (),
    ) -> None:
        is_late = seat.account is not None and self.books.accounts[seat.account].fence != seat.fence
        before = _account_row(connection, seat.account) if is_late else None
        Governor.release(self, connection, seat, outcome, with_session=with_session, slots=slots)
        if is_late:
            assert _account_row(connection, seat.account) == before, "a lost lease changed the account"
            self.books.counts["late answers of a lost lease"] += 1
        self.books.released(seat, outcome, with_session)


def _account_row(connection: Connection, name: str | None) -> Any:
    sql = "select to_jsonb(a) from instagram_pool_accounts a where username = %s"
    return connection.execute(sql, [name]).fetchone()


class Process:
    """One process that looks at profiles; once killed, it reaches no database."""

    def __init__(
        self,
        database: ClonedDatabase,
        books: Books,
        name: str,
        key: str,
        after_lease: Callable[["Process"], None],
    ) -> None:
        self._database = database
        self._books = books
        self.is_dead = False
        self._deadline = START
        governor = WatchedGovernor(name, lambda _: books.now)
        object.__setattr__(governor, "books", books)
        object.__setattr__(governor, "after_lease", lambda: after_lease(self))
        self._seating = Seating(self, governor, sleep=self._sleep, clock=lambda: books.now)
        self._key = key

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        if self.is_dead:
            raise DatabaseUnavailable("this process is gone")
        with self._database.connection() as connection:
            yield connection

    def look(self, username: str, within_s: float) -> Result[InstagramProfile] | Deferred:
        """One look that may wait until so many seconds from now."""
        self._deadline = self._books.now + timedelta(seconds=within_s)
        session = GovernedSession("entities", self._seating, self._key)
        return session.run(ProfileLook(username), self._deadline)

    def _sleep(self, seconds: float) -> None:
        until = self._books.now + timedelta(seconds=seconds)
        assert until <= self._deadline, "a wait went beyond the deadline"
        assert timedelta(0) < until - self._books.now <= LONGEST_WAIT
        self._books.counts["waits"] += 1
        self._books.now = until


@dataclass
class Instagram:
    """What answers: routes with bad hours, sessions that end, and now and then a process that dies."""

    books: Books
    chance: random.Random
    routes: dict[str, str]  # account to route
    # What others do while an answer is on its way, also to the account that asks.
    meanwhile: Callable[[str | None], None]
    running: list[Process] = field(default_factory=list)
    # What the page of a name shows, when others than the canary are looked at.
    page_of: Callable[[str], InstagramProfile | Verdict] = lambda asked: _PROFILE
    trouble: Sequence[Verdict] = _TROUBLE
    _moods: dict[str, tuple[datetime, Verdict | None]] = field(default_factory=dict)

    def attempt(
        self,
        handler: Any,
        operation: Operation[InstagramProfile],
        identity: Identity,
        *,
        before_send: Callable[[str], None],
        **_: Any,
    ) -> Attempted[InstagramProfile]:
        """Stands in for the attempt through Instaloader: the page without cookies, at times one more with."""
        process = self.running[-1]
        route = self.routes[identity.account] if identity.account else "direct"
        keys = (f"account {identity.account}", f"route {route}")
        self._send(before_send, keys, process, identity.account)
        page = self._page(route, operation.target)
        if isinstance(page, Verdict) or identity.account is None or self.chance.random() < 0.5:
            return self._ended(page)
        try:
            self._send(before_send, keys, process, identity.account)
        except SlotRefused:  # not sent, and the page was read
            self.books.counts["second request not granted"] += 1
            return self._ended(page)
        return self._ended(page, self._session(identity.account))

    def _ended(
        self, page: InstagramProfile | Verdict, session: SeatOutcome | None = None
    ) -> Attempted[InstagramProfile]:
        """The page counts for its target, the last answer for the seat."""
        if isinstance(page, Verdict):
            finding, value, learned = page.finding, None, page.seat
        else:
            finding, value, learned = Finding.FOUND, page, session or SeatOutcome.OK
        refused = learned not in (SeatOutcome.OK, SeatOutcome.UNCLEAR)
        word = learned.value if refused else finding.value
        self.books.counts[f"{word}{' with session' if session else ''}"] += 1
        return Attempted(finding, value, "", learned, session is not None)

    def after_lease(self, process: Process) -> None:
        if self.chance.random() < 0.01:
            self._kill(process, "killed with a lease")

    def _send(
        self, before_send: Callable[[str], None], keys: Sequence[str], process: Process, account: str | None
    ) -> None:
        before_send("www.instagram.com")
        if self.chance.random() < 0.02:
            self._kill(process, "killed before sending")
        self.books.now += timedelta(seconds=self.chance.uniform(0, _ON_THE_WIRE_S))
        self.books.counts["requests"] += 1
        for key in keys:
            self.books.arrived(key)
        if self.chance.random() < 0.02:
            self._kill(process, "killed after sending")
        if self.chance.random() < 0.06:
            self.books.counts["stalls"] += 1
            self.books.now += timedelta(seconds=self.chance.uniform(100, 400))
        self.books.now += timedelta(seconds=self.chance.uniform(0.1, 3))
        self.meanwhile(account)

    def _kill(self, process: Process, how: str) -> None:
        self.books.counts[how] += 1
        process.is_dead = True
        raise ProcessGone

    def _page(self, route: str, asked: str) -> InstagramProfile | Verdict:
        until, mood = self._moods.get(route, (START, None))
        if until <= self.books.now:
            mood = self.chance.choice([*[None] * 10, *self.trouble])
            length = timedelta(minutes=self.chance.uniform(5, 90))
            self._moods[route] = self.books.now + length, mood
        return self.page_of(asked) if mood is None else mood

    def _session(self, account: str) -> SeatOutcome:
        book = self.books.accounts[account]
        drawn = self.chance.random()
        book.session_is_lost |= drawn < 0.06
        book.is_suspended |= 0.06 <= drawn < 0.07
        if book.is_suspended:
            return SeatOutcome.SUSPENDED
        if book.session_is_lost:
            return SeatOutcome.LOGGED_OUT
        if drawn > 0.8:
            return SeatOutcome.LIMITED if drawn > 0.9 else SeatOutcome.CHALLENGED
        return SeatOutcome.OK
