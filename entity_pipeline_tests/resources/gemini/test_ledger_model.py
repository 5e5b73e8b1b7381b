"""The ledger against a model of it: any order of requests, crashes, sweeps, midnights and other pipelines.

The model is a list in Python that knows nothing of the SQL. Google's own count stands beside it as the judge.
Repeat a run with `--hypothesis-seed`; LEDGER_MODEL_RUNS=500 asks for more than the 40 of every day.
"""

import os
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.gemini.ledger import InFlight, Refused, Replay
from entity_pipeline.core.gemini.models import GeminiModel
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    FLASH,
    MONTHLY,
    REVIEW,
    SENT,
    add_event,
    limit,
    limited,
    refusal,
    settle,
    varied,
)
from entity_pipeline_tests.resources.gemini.simulated_clock import PACIFIC, SimulatedClock, pacific

RUNS = int(os.environ.get("LEDGER_MODEL_RUNS", "15"))
STEPS = 40
STALE = timedelta(seconds=90)
MOMENT = timedelta(milliseconds=1)
OPEN = ("reserved", "sent")

# An ordinary day, both days of the year that are not 24 hours long and the days before, and ends of months.
STARTS = [
    "2026-06-10 12:00",
    "2026-03-07 23:58",
    "2026-03-08 00:30",
    "2026-10-31 23:58",
    "2026-11-01 00:30",
    "2026-11-01 22:59",
    "2026-02-28 23:58",
    "2026-12-31 23:58",
]
SUBJECTS = st.sampled_from(["ada", "bea", "cho", "dan"])
NTH = st.integers(0, 5)  # counted from the newest


@dataclass
class Row:
    """A request as the model sees it; `units` is what it takes from the pool."""

    place: Reserved
    subject: str
    day: date
    created_at: datetime
    changed_at: datetime
    units: int
    state: str = "reserved"


@dataclass(frozen=True)
class Foreign:
    """An event of another pipeline that counts as grounded."""

    day: date
    units: int


class LedgerMachine(RuleBasedStateMachine):
    """One ledger with its clock, and what the model says of it."""

    model: GeminiModel = FLASH
    sibling = "gemini-2.5-flash-lite"  # of the same pool
    caps: tuple[int, ...] = (0, 1, 2, 3, 5)
    foreign_queries: tuple[int | None, ...] = (None, 0, 3)

    def __init__(
        self, database: ClonedDatabase, connection: psycopg.Connection[Any], clock: SimulatedClock
    ) -> None:
        super().__init__()
        connection.execute("truncate gemini_usage_events")
        self.ledger, self.connection, self.clock = Ledger(database), connection, clock
        self.rows: dict[EventId, Row] = {}
        self.foreign: list[Foreign] = []
        self.consumed: dict[str, EventId] = {}
        self.blocked_until: datetime | None = None
        self.seen_by_google: Counter[date] = Counter()
        self.highest_cap: dict[date, int] = {}
        self.cap = self.caps[-1]

    # What the model expects

    def units_since(self, first: date, last: date) -> int:
        ours = sum(
            row.units for row in self.rows.values() if row.state != "released" and first <= row.day <= last
        )
        return ours + sum(event.units for event in self.foreign if first <= event.day <= last)

    @property
    def units_today(self) -> int:
        return self.units_since(self.clock.today, self.clock.today)

    @property
    def units_in_period(self) -> int:
        today = self.clock.today
        return self.units_since(today.replace(day=1) if self.model is MONTHLY else today, today)

    @property
    def room(self) -> int:
        """Places that grounded requests may still take."""
        units = self.cap - self.units_today
        if self.model is MONTHLY:
            units = min(units, 5_000 - self.units_in_period)
        return max(units // self.places(1), 0)

    def places(self, requests: int) -> int:
        return requests * (8 if self.model is MONTHLY else 1)

    def unused_reply(self, subject: str) -> Row | None:
        consumed = self.consumed.get(subject)
        found = [
            row
            for row in self.rows.values()
            if row.subject == subject
            and row.state == "settled"
            and (consumed is None or row.created_at > self.rows[consumed].created_at)
        ]
        return max(found, key=lambda row: row.created_at, default=None)

    def sweep_the_model(self) -> int:
        stale = [
            row for row in self.rows.values() if row.state in OPEN and row.changed_at < self.clock.now - STALE
        ]
        for row in stale:
            self.change(row, "unknown" if row.state == "sent" else "released")
        return len(stale)

    def change(self, row: Row, state: str) -> None:
        row.state, row.changed_at = state, self.clock.now

    def chosen(self, nth: int) -> Row:
        rows = list(self.rows.values())
        return rows[-1 - nth % len(rows)]

    def ask(self, subject: str, grounded: bool = True) -> Any:
        call = varied(
            REVIEW,
            subject=subject,
            grounded=grounded,
            model=self.model.name,
            consumed_event_id=self.consumed.get(subject),
        )
        return self.ledger.reserve(call, 1, "run-1")

    def write_the_cap(self) -> None:
        limit(self.ledger._database, limited(daily_grounding_cap=self.cap, daily_spend_usd=1_000_000.0))

    # What happens

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: str) -> None:
        self.clock.set(pacific(start))
        self.write_the_cap()

    @rule(subject=SUBJECTS, grounded=st.sampled_from([True, True, True, False]))
    def reserve(self, subject: str, grounded: bool) -> None:
        self.clock.set(self.clock.now + MOMENT)
        reply = self.unused_reply(subject)
        claims = [row for row in self.rows.values() if row.subject == subject and row.state in OPEN]
        if any(row.changed_at + STALE <= self.clock.now for row in claims):
            self.sweep_the_model()
        claims = [row for row in claims if row.state in OPEN]
        used, in_period, room = self.units_today, self.units_in_period, self.room
        answer = self.ask(subject, grounded)
        if reply is not None:
            assert isinstance(answer, Replay), answer
            assert answer.reply.event_id == reply.place.event_id
        elif claims:
            assert answer == InFlight(claims[0].changed_at + STALE)
        elif self.blocked_until is not None and self.blocked_until > self.clock.now:
            assert refusal(answer) == (Unanswered.BLOCKED_BY_GOOGLE, self.blocked_until)
        elif grounded and not room:
            assert isinstance(answer, Refused), answer
            assert answer.why is Unanswered.CAP_REACHED
            if self.cap - used < self.places(1):
                assert answer.retry_at == self.clock.next_midnight
        else:
            assert isinstance(answer, Reserved), answer
            assert (answer.quota_day, answer.units_before) == (self.clock.today, in_period)
            now, today, units = self.clock.now, self.clock.today, self.places(1) if grounded else 0
            self.rows[answer.event_id] = Row(answer, subject, today, now, now, units)
            self.highest_cap[today] = max(self.highest_cap.get(today, 0), self.cap)
            assert not grounded or self.counted_rows() <= self.cap

    @precondition(lambda self: self.rows)
    @rule(nth=NTH)
    def mark_sent(self, nth: int) -> None:
        """The holder says that it sends, or says so again because the answer was lost; it sends once."""
        row, now = self.chosen(nth), self.clock.now
        is_open = row.state in ("reserved", "sent")
        leaves = is_open and row.day == self.clock.today and row.changed_at > now - STALE
        assert self.ledger.mark_sent(row.place.event_id, SENT) == leaves
        if leaves:
            self.seen_by_google[self.clock.today] += row.units if row.state == "reserved" else 0
            self.change(row, "sent")

    @precondition(lambda self: self.rows)
    @rule(nth=NTH, queries=st.integers(0, 8))
    def settle(self, nth: int, queries: int) -> None:
        """The answer comes: in time, after the sweep, or for a row that is already closed."""
        self.settle_row(self.chosen(nth), queries)

    @precondition(lambda self: any(row.state == "unknown" for row in self.rows.values()))
    @rule(nth=NTH, queries=st.integers(0, 8))
    def answer_late(self, nth: int, queries: int) -> None:
        """The reply of a request that was given up comes, perhaps while another one is on its way."""
        unknown = [row for row in self.rows.values() if row.state == "unknown"]
        self.settle_row(unknown[nth % len(unknown)], queries)

    def settle_row(self, row: Row, queries: int) -> None:
        grounded = row.units > 0
        figures = {"search_queries": queries, "grounded": grounded, "model_version": self.model.name}
        settle(self.ledger, row.place, self.model, **figures)
        if row.state in ("sent", "unknown"):
            self.change(row, "settled")
            if self.model is MONTHLY and grounded:
                row.units = queries

    @precondition(lambda self: self.rows)
    @rule(nth=NTH, held=st.sampled_from([None, None, None, "for a minute", "until the reset"]))
    def fail(self, nth: int, held: str | None) -> None:
        row = self.chosen(nth)
        until = {
            None: None,
            "for a minute": self.clock.now + timedelta(seconds=60),
            "until the reset": self.clock.next_midnight,
        }[held]
        self.ledger.fail(row.place.event_id, {"kind": "refused"}, 1, until)
        if row.state in ("sent", "unknown"):
            self.change(row, "failed")
            if until is not None:
                self.blocked_until = max(until, self.blocked_until or until)

    @precondition(lambda self: self.rows)
    @rule(nth=NTH)
    def time_out(self, nth: int) -> None:
        row = self.chosen(nth)
        self.ledger.mark_unknown(row.place.event_id, {"kind": "timeout"}, 60_000)
        if row.state == "sent":
            self.change(row, "unknown")

    @precondition(lambda self: self.rows)
    @rule(nth=NTH)
    def release(self, nth: int) -> None:
        """The connection could not be made: Google saw nothing."""
        row = self.chosen(nth)
        self.ledger.release(row.place.event_id, {"kind": "unsent"})
        if row.state == "sent":
            self.seen_by_google[row.day] -= row.units
        if row.state in OPEN:
            self.change(row, "released")

    @rule()
    def crash(self) -> None:
        """Every process dies with its requests open, which stay open until they are stale."""
        self.clock.advance(90.001)

    @rule()
    def sweep(self) -> None:
        expected = self.sweep_the_model()
        assert self.ledger.sweep() == expected

    @rule(subject=SUBJECTS)
    def write_the_account(self, subject: str) -> None:
        reply = self.unused_reply(subject)
        if reply is not None:
            self.consumed[subject] = reply.place.event_id

    @rule(data=st.data())
    def change_the_cap(self, data: st.DataObject) -> None:
        self.cap = data.draw(st.sampled_from(self.caps))
        self.write_the_cap()

    @rule(seconds=st.sampled_from([0.001, 30, 59.999, 89.999, 90, 3_600, 7_200]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-0.001, 0, 0.001, 60]))
    def roll_the_day(self, seconds: float) -> None:
        """To the Pacific midnight, or as near to it as it gets."""
        self.clock.set(max(self.clock.now, self.clock.next_midnight + timedelta(seconds=seconds)))

    @rule(
        data=st.data(),
        model=st.sampled_from(["gemini-2.5-flash-lite", "gemini-3.6-flash", "gemini-9-ultra"]),
        state=st.sampled_from(["settled", "failed", "released"]),
        grounded=st.booleans(),
        dated=st.booleans(),
        seconds_ago=st.sampled_from([0, 1, 3_600, 86_400]),
    )
    def another_pipeline_writes(
        self, data: st.DataObject, model: str, state: str, grounded: bool, dated: bool, seconds_ago: int
    ) -> None:
        queries = data.draw(st.sampled_from(self.foreign_queries))
        at = self.clock.now - timedelta(seconds=seconds_ago)
        day = at.astimezone(PACIFIC).date()
        add_event(
            self.connection,
            model=model,
            state=state,
            grounded=grounded,
            created_at=at,
            state_changed_at=at,
            quota_day=day if dated else None,
            search_queries=queries,
        )
        of_the_pool = model in ("gemini-9-ultra", self.sibling)
        says_it_did_not_search = not grounded and queries == 0
        if not says_it_did_not_search and state != "released" and of_the_pool:
            counted = 1 if self.model is FLASH else 8 if queries is None else queries
            self.foreign.append(Foreign(day, counted))

    # What is always true

    def stored(self) -> list[tuple[EventId, str, str, date]]:
        return self.connection.execute(
            "select id::text, subject, state, quota_day from gemini_usage_events where subject is not null"
        ).fetchall()

    def counted_rows(self) -> int:
        """The units of today's rows as they stand in the table, the others' from the model."""
        today = self.clock.today
        ours = sum(
            self.rows[event_id].units
            for event_id, _, state, day in self.stored()
            if event_id in self.rows and state != "released" and day == today
        )
        return ours + sum(event.units for event in self.foreign if event.day == today)

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        stored = {event_id: (subject, state, day) for event_id, subject, state, day in self.stored()}
        assert stored == {key: (row.subject, row.state, row.day) for key, row in self.rows.items()}

    @invariant()
    def a_claim_has_one_holder(self) -> None:
        live = Counter(subject for _, subject, state, _ in self.stored() if state in OPEN)
        assert all(count == 1 for count in live.values()), live

    @invariant()
    def google_never_sees_more_than_the_cap(self) -> None:
        for day, seen in self.seen_by_google.items():
            assert seen <= self.highest_cap.get(day, 0), day

    @invariant()
    def the_figures_for_people_are_those_of_the_model(self) -> None:
        status = self.ledger.status(self.model)
        assert status.quota_day == self.clock.today
        assert status.used + status.reserved == self.units_today
        assert status.remaining // status.units_per_request == self.room

    def teardown(self) -> None:
        """Nothing is lost for good: once the dead requests are swept, every place of the cap can be taken."""
        self.clock.advance(90.001)
        self.sweep_the_model()
        self.ledger.sweep()
        if self.blocked_until is not None and self.blocked_until > self.clock.now:
            self.clock.set(self.blocked_until)
        assert not [row for row in self.stored() if row[2] in OPEN]
        self.cap = max(self.caps)
        self.write_the_cap()
        room, taken = self.room, 0
        while isinstance(self.ask(f"new_{taken}"), Reserved):
            taken += 1
            assert taken <= room
        assert taken == room


class MonthlyMachine(LedgerMachine):
    """A pool that counts search queries in a month, and by day only where a person set a lower cap."""

    model = MONTHLY
    caps = (0, 7, 8, 16, 40)
    foreign_queries = (None, 0, 3, 2_450, 2_500)
    sibling = "gemini-3.6-flash"


@pytest.mark.timeout(120 + 10 * RUNS)
@pytest.mark.parametrize("machine", [LedgerMachine, MonthlyMachine], ids=["daily", "monthly"])
def test_the_ledger_does_what_its_model_does(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any], machine: type[LedgerMachine]
) -> None:
    clock = SimulatedClock(assets, pacific(STARTS[0]))
    with_steps = settings(
        max_examples=RUNS, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck)
    )
    # The connection of `assets` was opened before the clock was ours: it only reads and writes rows.
    run_state_machine_as_test(lambda: machine(assets_db, assets, clock), settings=with_steps)  # type: ignore[arg-type]
