"""The governor on a real PostgreSQL: leases, windows, races, crashes, and a simulated clock."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.core.instagram.windows import WIRE_SLACK
from entity_pipeline.resources.instagram.cooling import ROUTE_COOLING, ROUTE_FAILURES
from entity_pipeline.resources.instagram.governor import LEASE, Governor
from entity_pipeline.resources.instagram.seats import Busy, LeaseLost, Purpose, Seat, Slot
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import OPEN, changed, permit, write_row

Connection = psycopg.Connection[Any]
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOST = "www.instagram.com"
LOOK = Purpose("entities", "profile", "gentlemonster")


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self, _: Connection) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def permitted(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        permit(connection)


@pytest.fixture
def governor(clock: Clock) -> Governor:
    return Governor("this process", clock)


def add_account(assets: Connection, username: str, **columns: Any) -> None:
    values = {"username": username} | columns
    if "route" in values:
        assets.execute(
            "insert into instagram_routes (name) values (%s) on conflict do nothing", (values["route"],)
        )
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    assets.execute(f"insert into instagram_pool_accounts ({names}) values ({marks})", list(values.values()))


def account(assets: Connection, username: str) -> tuple[Any, ...]:
    sql = "select state, cooling_until, lease_owner, last_outcome from instagram_pool_accounts where username = %s"
    row = assets.execute(sql, (username,)).fetchone()
    assert row is not None
    return row


def route(assets: Connection, name: str = "direct") -> tuple[Any, ...]:
    row = assets.execute(
        "select state, cooling_until, failures from instagram_routes where name = %s", (name,)
    ).fetchone()
    assert row is not None
    return row


def leased(governor: Governor, assets: Connection, **options: Any) -> Seat:
    seat = governor.lease(assets, **options)
    assert isinstance(seat, Seat), seat
    return seat


def take_slot(
    governor: Governor,
    connection: Connection,
    seat: Seat,
    windows: InstagramWindows | None = None,
    purpose: Purpose = LOOK,
) -> Slot | Busy | LeaseLost:
    if windows is not None:
        permit(connection, windows)
    return governor.take_slot(connection, seat, purpose, host=HOST)


def test_without_an_account_the_anonymous_direct_seat_is_given(
    governor: Governor, assets: Connection
) -> None:
    seat = leased(governor, assets)
    assert (seat.account, seat.key, seat.source) == (None, "anonymous:direct", "anonymous:direct")


@pytest.mark.parametrize("state", ["needs_session", "disabled"])
def test_accounts_that_need_a_person_leave_the_anonymous_seat(
    governor: Governor, assets: Connection, state: str
) -> None:
    add_account(assets, "a", state=state)
    assert leased(governor, assets).account is None


def test_the_least_recently_used_account_comes_first(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    for name in ("a", "b", "c"):
        add_account(assets, name)
    order = []
    for _ in range(7):
        seat = leased(governor, assets)
        order.append(seat.account)
        governor.release(assets, seat, None)
        clock.later(seconds=1)
    assert order == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_leased_account_is_not_given_twice(governor: Governor, assets: Connection) -> None:
    add_account(assets, "a")
    leased(governor, assets)
    busy = governor.lease(assets)
    assert isinstance(busy, Busy)
    assert 0 < busy.wait_s <= 5


def test_a_lease_of_a_dead_process_expires(governor: Governor, assets: Connection, clock: Clock) -> None:
    add_account(assets, "a")
    first = leased(governor, assets)
    clock.later(seconds=LEASE.total_seconds())
    second = leased(governor, assets)
    assert second.fence == first.fence + 1


def test_a_late_holder_neither_sends_nor_changes_the_account(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    add_account(assets, "a")
    late = leased(governor, assets)
    clock.later(seconds=LEASE.total_seconds())
    leased(Governor("another process", clock), assets)
    assert take_slot(governor, assets, late, OPEN) == LeaseLost()
    governor.release(assets, late, SeatOutcome.LOGGED_OUT, with_session=True)
    assert account(assets, "a")[0] == "active"
    assert account(assets, "a")[2] == "another process"


def test_an_expired_lease_sends_nothing_even_if_it_was_not_taken_over(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    add_account(assets, "a")
    seat = leased(governor, assets)
    clock.later(seconds=LEASE.total_seconds())
    assert take_slot(governor, assets, seat, OPEN) == LeaseLost()


@pytest.mark.parametrize(("outcome", "minutes"), [("rate_limited", 45), ("challenge", 90)])
def test_a_refused_account_cools_and_comes_back(
    governor: Governor, assets: Connection, clock: Clock, outcome: str, minutes: int
) -> None:
    add_account(assets, "a", route="proxy-1")
    governor.release(assets, leased(governor, assets), SeatOutcome(outcome), with_session=True)
    until = START + timedelta(minutes=minutes)
    assert account(assets, "a") == ("cooling", until, None, outcome)
    busy = governor.lease(assets)
    assert isinstance(busy, Busy)
    assert busy.next_at == until
    clock.later(minutes=minutes)
    assert leased(governor, assets).account == "a"
    assert account(assets, "a")[:2] == ("active", None)


def test_an_anonymous_refusal_cools_the_route_for_every_account_on_it(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    add_account(assets, "a", route="shared")
    add_account(assets, "b", route="shared")
    add_account(assets, "c", route="other")
    governor.release(assets, leased(governor, assets), SeatOutcome.LIMITED)
    assert route(assets, "shared")[:2] == ("cooling", START + timedelta(minutes=45))
    assert account(assets, "b")[0] == "active"
    assert leased(governor, assets).account == "c"
    assert isinstance(governor.lease(assets), Busy)


def test_a_lost_session_needs_a_person_and_the_route_stays_clean(
    governor: Governor, assets: Connection
) -> None:
    add_account(assets, "a", route="proxy-1")
    governor.release(assets, leased(governor, assets), SeatOutcome.LOGGED_OUT, with_session=True)
    assert account(assets, "a")[0] == "needs_session"
    assert route(assets, "proxy-1") == ("active", None, 0)


def test_route_failures_are_held_against_the_route_and_never_the_session(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    add_account(assets, "a", route="proxy-1")
    for _ in range(ROUTE_FAILURES):
        governor.release(assets, leased(governor, assets), SeatOutcome.TRANSPORT)
    assert account(assets, "a")[0] == "active"
    assert route(assets, "proxy-1") == ("cooling", START + ROUTE_COOLING, 0)
    assert isinstance(governor.lease(assets), Busy)
    clock.later(seconds=ROUTE_COOLING.total_seconds())
    assert leased(governor, assets).account == "a"


def test_the_anonymous_seat_has_its_own_cooling(governor: Governor, assets: Connection, clock: Clock) -> None:
    seat = leased(governor, assets)
    governor.release(assets, seat, SeatOutcome.CHALLENGED)
    busy = governor.lease(assets)
    assert isinstance(busy, Busy)
    assert busy.next_at == START + timedelta(minutes=90)
    assert isinstance(take_slot(governor, assets, seat, OPEN), Busy)
    clock.later(minutes=90)
    assert leased(governor, assets).account is None


@pytest.mark.parametrize(
    "change",
    ["update instagram_routes set state = 'disabled'", "delete from instagram_routes where name = 'direct'"],
)
def test_a_direct_route_that_is_closed_or_missing_sends_nothing(
    governor: Governor, assets: Connection, change: str
) -> None:
    assets.execute(change)
    assert isinstance(governor.lease(assets), Busy)
    assert isinstance(take_slot(governor, assets, Seat(), OPEN), Busy)


def test_an_account_on_a_disabled_route_waits_for_a_person(governor: Governor, assets: Connection) -> None:
    add_account(assets, "a", route="proxy-1")
    assets.execute("update instagram_routes set state = 'disabled' where name = 'proxy-1'")
    busy = governor.lease(assets)
    assert isinstance(busy, Busy)
    assert busy.reason.key == "pool_on_disabled_routes"


def test_two_accounts_on_one_route_share_its_windows(governor: Governor, assets: Connection) -> None:
    add_account(assets, "a")
    add_account(assets, "b")
    windows = changed(OPEN, per_hour=1)
    first, second = leased(governor, assets), leased(governor, assets)
    assert isinstance(take_slot(governor, assets, first, windows), Slot)
    assert isinstance(take_slot(governor, assets, second, windows), Busy)


def test_accounts_on_their_own_routes_have_windows_of_their_own(
    governor: Governor, assets: Connection
) -> None:
    add_account(assets, "a", route="proxy-1")
    add_account(assets, "b", route="proxy-2")
    windows = changed(OPEN, per_hour=1)
    seats = [leased(governor, assets) for _ in range(2)]
    assert all(isinstance(take_slot(governor, assets, seat, windows), Slot) for seat in seats)


def test_a_day_of_eager_asking_exceeds_no_window(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    windows = InstagramWindows(gap_s=2, jitter_s=(2, 5), per_minute=5, per_hour=12, per_day=40)
    sent: list[datetime] = []
    while clock.now < START + timedelta(days=1, hours=3):
        answer = take_slot(governor, assets, Seat(), windows)
        if isinstance(answer, Slot):
            sent.append(answer.at)
        else:
            assert isinstance(answer, Busy)
            clock.now = answer.next_at
    for limit, window in ((5, timedelta(minutes=1)), (12, timedelta(hours=1)), (40, timedelta(days=1))):
        assert all(sum(at - window < other <= at for other in sent) <= limit for at in sent)
    pauses = [later - earlier for earlier, later in pairwise(sent)]
    assert min(pauses) >= timedelta(seconds=2)
    assert len(set(pauses)) > 3
    assert 40 < len(sent) <= 80


def test_asking_again_does_not_draw_a_shorter_pause(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    windows = changed(OPEN, gap_s=2, jitter_s=(2, 5))
    take_slot(governor, assets, Seat(), windows)
    answers = [take_slot(governor, assets, Seat()) for _ in range(20)]
    assert len({answer.next_at for answer in answers if isinstance(answer, Busy)}) == 1
    assert len(answers) == 20


def test_the_log_names_the_domain_the_target_and_the_outcome(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    slot = take_slot(governor, assets, Seat(), OPEN)
    assert isinstance(slot, Slot)
    governor.release(assets, Seat(), SeatOutcome.OK, slots=[slot])
    row = assets.execute(
        "select account_key, route, host, requested_at, domain, operation, target, outcome from instagram_request_log"
    ).fetchone()
    assert row == ("anonymous:direct", "direct", HOST, START, "entities", "profile", "gentlemonster", "ok")


def _at_once(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_race_for_slots_never_exceed_a_window(assets_db: ClonedDatabase) -> None:
    taken: list[Slot] = []
    start = threading.Barrier(8)
    with assets_db.connection() as connection:
        permit(connection, changed(OPEN, per_hour=30))

    def ask() -> None:
        governor = Governor("racer")
        with assets_db.connection() as connection:
            start.wait()
            for _ in range(12):
                answer = take_slot(governor, connection, Seat())
                if isinstance(answer, Slot):
                    taken.append(answer)

    _at_once(8, ask)
    assert len(taken) == 30
    with assets_db.connection() as connection:
        assert connection.execute("select count(*) from instagram_request_log").fetchone() == (30,)


def test_a_second_asker_waits_until_the_first_is_counted(
    assets_db: ClonedDatabase, governor: Governor
) -> None:
    with assets_db.connection() as connection:
        permit(connection, changed(OPEN, per_hour=1))
    second: list[Slot | Busy | LeaseLost] = []

    def ask() -> None:
        with assets_db.connection() as connection:
            second.append(take_slot(governor, connection, Seat()))

    asker = threading.Thread(target=ask)
    with assets_db.connection() as connection, connection.transaction():
        assert isinstance(take_slot(governor, connection, Seat()), Slot)
        asker.start()
        asker.join(timeout=0.5)
        assert second == []
    asker.join()
    assert isinstance(second[0], Busy)


def test_an_account_that_is_just_being_leased_is_passed_over_without_waiting(
    assets_db: ClonedDatabase, governor: Governor
) -> None:
    with assets_db.connection() as first, assets_db.connection() as second:
        add_account(first, "a")
        add_account(first, "b")
        with first.transaction():
            assert leased(governor, first).account == "a"
            with second.transaction():
                second.execute("set local lock_timeout = '1s'")
                assert leased(governor, second).account == "b"


def test_threads_that_race_for_accounts_never_share_one(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        for number in range(5):
            add_account(connection, f"a{number}")
    seats: list[Seat | Busy] = []
    start = threading.Barrier(8)

    def ask() -> None:
        with assets_db.connection() as connection:
            start.wait()
            seats.append(Governor("racer").lease(connection))

    _at_once(8, ask)
    got = [seat.account for seat in seats if isinstance(seat, Seat)]
    assert sorted(filter(None, got)) == [f"a{number}" for number in range(5)]


_TAKES_SLOTS = """
import sys
import psycopg
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.seats import Purpose, Seat

purpose = Purpose(sys.argv[2], "profile", "somebody")
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as connection:
    while True:
        answer = Governor("child").take_slot(connection, Seat(), purpose, host="www.instagram.com")
        print(type(answer).__name__, flush=True)
        if sys.argv[3] == "wait":
            sys.stdin.read()
        if type(answer).__name__ == "Busy":
            break
"""


def _child(url: str, then: str, domain: str = "entities") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _TAKES_SLOTS, url, domain, then]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def test_processes_that_race_for_slots_never_exceed_a_window(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        permit(connection, changed(OPEN, per_hour=25))
    children = [_child(assets_db.url, "go on") for _ in range(3)]
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert sum(words.count("Slot") for words in said) == 25


def test_a_process_killed_after_it_took_a_slot_has_used_it(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        permit(connection, changed(OPEN, per_hour=1))
    with _child(assets_db.url, "wait") as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "Slot\n"
        child.send_signal(signal.SIGKILL)
    with assets_db.connection() as connection:
        answer = take_slot(Governor("survivor"), connection, Seat())
    assert isinstance(answer, Busy)
    assert 3_500 < answer.wait_s < 3_601


def test_the_clock_is_the_databases(assets: Connection) -> None:
    slot = take_slot(Governor("x"), assets, Seat())
    row = assets.execute("select clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(slot, Slot)
    assert timedelta(0) <= row[0] - slot.at < timedelta(seconds=10)


def test_a_role_that_row_security_blinds_can_send_nothing(
    assets_db: ClonedDatabase, governor: Governor
) -> None:
    with assets_db.connection() as connection, connection.transaction():
        role = f"blind_{os.getpid()}_{assets_db.url[-8:]}"
        connection.execute(f'create role "{role}"')
        tables = "instagram_routes, instagram_pool_accounts, instagram_request_log, pipeline_settings"
        connection.execute(f'grant select, insert, update on {tables} to "{role}"')
        connection.execute(f'set local role "{role}"')
        assert isinstance(governor.lease(connection), Busy)
        assert isinstance(take_slot(governor, connection, Seat()), Busy)
        connection.execute("reset role")
        connection.execute(f'drop owned by "{role}"')
        connection.execute(f'drop role "{role}"')


def test_a_window_made_smaller_counts_from_the_newest_requests(
    assets: Connection, governor: Governor, clock: Clock
) -> None:
    for _ in range(3):
        assert isinstance(take_slot(governor, assets, Seat(), OPEN), Slot)
        clock.later(seconds=20)
    smaller = InstagramWindows(gap_s=0, jitter_s=(0, 0), per_minute=2, per_hour=2, per_day=2)
    busy = take_slot(governor, assets, Seat(), smaller)
    assert isinstance(busy, Busy)
    # The second newest of three leaves the day last.
    assert busy.next_at == START + timedelta(seconds=20, days=1) + WIRE_SLACK


def test_failures_of_a_route_that_two_report_at_once_are_both_counted(
    assets_db: ClonedDatabase, governor: Governor
) -> None:
    with assets_db.connection() as one, assets_db.connection() as two, ThreadPoolExecutor(1) as pool:
        with one.transaction():
            one.execute("update instagram_routes set failures = failures + 1 where name = 'direct'")
            late = pool.submit(governor.release, two, Seat(), SeatOutcome.TRANSPORT)
            waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            with assets_db.connection() as third:
                while third.execute(waiting).fetchone() is None:
                    time.sleep(0.01)
        late.result(timeout=20)
        assert route(one)[2] == 2


@pytest.mark.parametrize(
    ("enabled", "settings", "key"),
    [
        (False, {"terms_acknowledged": True}, "shared_switched_off"),
        (None, {"terms_acknowledged": True}, "switch_is_empty"),
        (True, {}, "terms_not_acknowledged"),
        (True, {"terms_acknowledged": "yes"}, "unreadable_settings"),
        (True, {"terms_acknowledged": True, "windows": {"per_hour": 0}}, "unreadable_settings"),
        (True, [], "unreadable_settings"),
    ],
)
def test_a_row_that_is_off_unreadable_or_without_acknowledgement_sends_nothing(
    governor: Governor, assets: Connection, enabled: bool | None, settings: Any, key: str
) -> None:
    add_account(assets, "a")
    seat = leased(governor, assets)
    assets.execute("alter table pipeline_settings alter column is_enabled drop not null")
    write_row(assets, enabled, settings)
    refused = [
        governor.lease(assets),
        take_slot(governor, assets, seat),
        take_slot(governor, assets, Seat()),
        governor.note(assets, LOOK, host=HOST),
    ]
    assert [one.reason.key if isinstance(one, Busy) else one for one in refused] == [key] * 4
    assert assets.execute("select count(*) from instagram_request_log").fetchone() == (0,)


def test_without_its_row_nothing_is_sent(governor: Governor, assets: Connection) -> None:
    assets.execute("delete from pipeline_settings where platform = 'instagram'")
    busy = take_slot(governor, assets, Seat())
    assert isinstance(busy, Busy)
    assert busy.reason.key == "no_shared_settings_row"


def test_a_window_that_is_made_smaller_holds_for_the_very_next_request(
    governor: Governor, assets: Connection
) -> None:
    assert isinstance(take_slot(governor, assets, Seat(), OPEN), Slot)
    assert isinstance(take_slot(governor, assets, Seat(), changed(OPEN, per_hour=1)), Busy)
    assert isinstance(take_slot(governor, assets, Seat(), changed(OPEN, per_hour=2)), Slot)


def test_a_domain_gets_its_share_and_another_the_rest(
    governor: Governor, assets: Connection, clock: Clock
) -> None:
    permit(assets, changed(OPEN, per_hour=10), shares={"entities": 0.3})
    other = Purpose("influencers", "profile", "somebody")
    ours = [take_slot(governor, assets, Seat()) for _ in range(4)]
    assert [type(one) for one in ours] == [Slot] * 3 + [Busy]
    busy = ours[-1]
    assert isinstance(busy, Busy)
    assert busy.reason.key == "share_used"
    assert busy.next_at == START + timedelta(hours=1) + WIRE_SLACK
    theirs = [take_slot(governor, assets, Seat(), purpose=other) for _ in range(8)]
    assert [type(one) for one in theirs] == [Slot] * 7 + [Busy]
    clock.now = busy.next_at
    assert isinstance(take_slot(governor, assets, Seat()), Slot)


def test_a_share_of_nothing_sends_nothing(governor: Governor, assets: Connection) -> None:
    permit(assets, shares={"entities": 0})
    busy = take_slot(governor, assets, Seat())
    assert isinstance(busy, Busy)
    assert busy.reason.key == "share_is_zero"


def test_processes_of_two_domains_exceed_neither_a_window_nor_a_share(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        permit(connection, changed(OPEN, per_hour=20), shares={"entities": 0.5})
    children = [_child(assets_db.url, "go on", domain) for domain in ("entities", "entities", "influencers")]
    for child in children:
        child.communicate(timeout=60)
    with assets_db.connection() as connection:
        rows = connection.execute(
            "select domain, count(*) from instagram_request_log group by 1 order by 1"
        ).fetchall()
    counts = dict(rows)
    assert sum(counts.values()) == 20
    assert counts.get("entities", 0) <= 10


def test_a_request_that_needs_no_seat_is_logged_and_fills_no_window(
    governor: Governor, assets: Connection
) -> None:
    permit(assets, changed(OPEN, per_hour=1))
    picture = Purpose("entities", "picture", "/v/1_n.jpg")
    for _ in range(3):
        slot = governor.note(assets, picture, host="x.cdninstagram.com")
        assert isinstance(slot, Slot)
        governor.settle(assets, [slot], SeatOutcome.OK)
    assert isinstance(take_slot(governor, assets, Seat()), Slot)
    rows = assets.execute(
        "select account_key, route, host, domain, operation, target, outcome, count(*) from instagram_request_log "
        "where operation = 'picture' group by 1, 2, 3, 4, 5, 6, 7"
    ).fetchall()
    assert rows == [
        ("unseated", "unseated", "x.cdninstagram.com", "entities", "picture", "/v/1_n.jpg", "ok", 3)
    ]


def test_rows_of_the_former_release_count_as_profile_looks_of_entities(
    governor: Governor, assets: Connection
) -> None:
    assets.execute(
        "insert into instagram_request_log (account_key, route, host, requested_at, username) "
        "values ('anonymous:direct', 'direct', %s, %s, 'gentlemonster')",
        [HOST, START],
    )
    permit(assets, changed(OPEN, per_hour=10), shares={"entities": 0.1})
    assert isinstance(take_slot(governor, assets, Seat()), Busy)
    row = assets.execute(
        "select domain, operation, coalesce(target, username) from instagram_request_log"
    ).fetchone()
    assert row == ("entities", "profile", "gentlemonster")
